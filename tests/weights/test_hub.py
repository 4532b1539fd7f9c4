"""hf://owner/name against a small hub on this machine, asked by huggingface_hub itself."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import safetensors.numpy
from support.commands import environment, run

from dmcf_jax.errors import UserError
from dmcf_jax.weights.read import read_weights

STORED = np.arange(6, dtype=np.float16).reshape(2, 3)
# In a process of its own, as the hub's address is read at import; its retries need not wait.
PROGRAM = """
import sys, time
from dmcf_jax.errors import UserError
from dmcf_jax.weights.read import read_weights
time.sleep = lambda seconds: None
try:
    print({name: value.tolist() for name, value in read_weights(sys.argv[1]).items()})
except UserError as error:
    print(error)
"""


class Hub(BaseHTTPRequestHandler):
    """Has one repository with one file, one empty repository and one that asks for a login."""

    content = safetensors.numpy.save({"conv1.weight": STORED})

    def do_HEAD(self):
        repository, _, file = self.path.strip("/").partition("/resolve/main/")
        codes = {"owner/empty": "EntryNotFound", "owner/gated": "GatedRepo"}
        if (repository, file) == ("owner/name", "model.safetensors"):
            headers = {
                "ETag": '"1"',
                "X-Repo-Commit": "0" * 40,
                "Content-Length": len(self.content),
            }
            return self.answer(200, headers)
        code = codes.get(repository, "RepoNotFound")
        status = 403 if code == "GatedRepo" else 404
        return self.answer(status, {"X-Error-Code": code, "Content-Length": 0})

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        return status

    def do_GET(self):
        if self.do_HEAD() == 200:
            self.wfile.write(self.content)

    def log_message(self, *_):
        """Print no log."""


@pytest.fixture
def hub():
    pytest.importorskip("huggingface_hub", reason="needs the `hub` extra")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(address, hub, cache):
    settings = {"HF_ENDPOINT": hub, "HF_HUB_CACHE": str(cache), "NO_PROXY": "127.0.0.1"}
    return run("-c", PROGRAM, address, env=environment(**settings)).stdout.strip()


@pytest.mark.slow
def test_a_repository_is_fetched_once_and_then_read_from_the_cache(hub, tmp_path):
    expected = str({"conv1.weight": STORED.tolist()})
    assert ask("hf://owner/name", hub, tmp_path) == expected
    assert ask("hf://owner/name", "http://127.0.0.1:9", tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "the hub shows no such repository; check the name, or run: hf auth login, if "
         "it is private"),
        ("empty", "the repository has no model.safetensors; choose another"),
        ("gated", "its owner asks for a login; run: hf auth login"),
    ],
)  # fmt: skip
def test_what_the_hub_refuses_is_reported(hub, tmp_path, name, reason):
    address = f"hf://owner/{name}"
    assert ask(address, hub, tmp_path) == f"{address} cannot be fetched: {reason}. Or name a file."


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_reported(tmp_path):
    pytest.importorskip("huggingface_hub", reason="needs the `hub` extra")
    assert ask("hf://owner/name", "http://127.0.0.1:9", tmp_path) == (
        "hf://owner/name cannot be fetched: the hub cannot be reached and it was not fetched "
        "before; check the network. Or name a file."
    )


def test_without_the_hubs_package_its_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install dmcf_jax\[hub\]") as caught:
        read_weights("hf://owner/name")
    assert caught.value.about == ("hf://owner/name",)
