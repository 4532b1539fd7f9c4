"""A small Hugging Face hub on this machine: as much of its API as huggingface_hub uses.

Repositories are dictionaries of bytes. Files that end in .safetensors travel as on the real hub, by
the protocol of Git LFS; the others are in the commit.
"""

import base64
import contextlib
import dataclasses
import hashlib
import importlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

TOKEN = "hf_secretsecretsecretsecret"


@dataclasses.dataclass
class Repository:
    """A repository: its commits, the newest last, and who may see it."""

    private: bool
    commits: list[dict[str, bytes]] = dataclasses.field(default_factory=lambda: [{}])

    def shas(self) -> list[str]:
        """Return the name of each commit."""
        return [f"{number:040x}" for number in range(len(self.commits))]

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return name and files of a branch or commit; None where there is no such."""
        shas = self.shas()
        if revision == "main":
            return shas[-1], self.commits[-1]
        return (revision, self.commits[shas.index(revision)]) if revision in shas else None


class Mirror(ThreadingHTTPServer):
    """The hub: `repositories` by name, `asked` lists (method, path, token) of all requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.told_sizes: dict[str, int] = {}  # by file, in place of its true size

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, name: str, files: dict[str, bytes]) -> None:
        """Add a commit that has exactly `files`; nobody checks them."""
        self.repositories.setdefault(name, Repository(True)).commits.append(files)


class _Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self):
        self._route("GET")

    def do_HEAD(self):
        self._route("HEAD")

    def do_POST(self):
        self._route("POST")

    def do_PUT(self):
        self._route("PUT")

    def log_message(self, *_):
        """Print no log."""

    def _route(self, method):
        path = self.path.partition("?")[0]
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append((method, path, self.headers.get("Authorization")))
        for verbs, pattern, answer in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method in verbs.split():
                return answer(self, body, *found.groups())
        return self.refuse(404, "EntryNotFound")

    def send(self, content, status=200, **headers):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status, code):
        self.send({"error": code}, status, X_Error_Code=code)

    def repository(self, name):
        """Return a repository if there is one that the asking person may see."""
        found = self.server.repositories.get(name)
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        return found if found and (known or not found.private) else None

    def create(self, body):
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.refuse(401, "Unauthorized")
        private = asked.get("visibility") == "private" or asked.get("private", False)
        status = 409 if name in self.server.repositories else 200
        self.server.repositories.setdefault(name, Repository(private))
        return self.send({"url": f"{self.server.address}/{name}"}, status)

    def info(self, body, name, revision="main"):
        repository = self.repository(name)
        if repository is None:
            return self.refuse(404, "RepoNotFound")
        found = repository.at(revision)
        if found is None:
            return self.refuse(404, "RevisionNotFound")
        sha, files = found
        siblings = [{"rfilename": each, "size": self.size(each, files)} for each in files]
        about = {"id": name, "sha": sha, "private": repository.private, "siblings": siblings}
        return self.send({**about, "tags": [], "downloads": 0, "likes": 0})

    def size(self, name, files):
        return self.server.told_sizes.get(name, len(files[name]))

    def tree(self, body, name, revision):
        found = self.repository(name).at(revision)
        rows = [
            {"type": "file", "path": path, "size": len(data), "oid": _digest(data)[:40]}
            for path, data in found[1].items()
        ]
        return self.send(rows)

    def file(self, body, name, revision, path):
        repository = self.repository(name)
        found = repository.at(revision) if repository else None
        if not found or path not in found[1]:
            return self.refuse(404, "EntryNotFound" if repository else "RepoNotFound")
        data = found[1][path]
        return self.send(data, ETag=f'"{_digest(data)}"', X_Repo_Commit=found[0])

    def yaml(self, body):
        return self.send({"errors": [], "warnings": []})

    def preupload(self, body, name, revision):
        files = [
            {
                "path": each["path"],
                "uploadMode": "lfs" if each["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for each in json.loads(body)["files"]
        ]
        return self.send({"files": files})

    def lfs_batch(self, body, name):
        objects = [
            {
                "oid": each["oid"],
                "size": each["size"],
                "actions": {"upload": {"href": f"{self.server.address}/lfs/{each['oid']}"}},
            }
            for each in json.loads(body)["objects"]
        ]
        answer = {"transfer": "basic", "objects": objects}
        return self.send(answer, Content_Type="application/vnd.git-lfs+json")

    def lfs_put(self, body, oid):
        self.server.blobs[oid] = body
        return self.send({}, 200 if _digest(body) == oid else 400)

    def commit(self, body, name, revision):
        repository = self.repository(name)
        files = dict(repository.commits[-1])
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
        repository.commits.append(files)
        sha = repository.shas()[-1]
        url = f"{self.server.address}/{name}/commit/{sha}"
        return self.send({"commitUrl": url, "commitOid": sha})


_NAME = r"([\w.-]+/[\w.-]+)"
_ROUTES = (
    ("POST", "/api/repos/create", _Handler.create),
    ("POST", "/api/validate-yaml", _Handler.yaml),
    ("GET", f"/api/models/{_NAME}", _Handler.info),
    ("GET", f"/api/models/{_NAME}/revision/(.+)", _Handler.info),
    ("GET", f"/api/models/{_NAME}/tree/([^/]+)", _Handler.tree),
    ("POST", f"/api/models/{_NAME}/preupload/(.+)", _Handler.preupload),
    ("POST", f"/{_NAME}.git/info/lfs/objects/batch", _Handler.lfs_batch),
    ("PUT", "/lfs/(.+)", _Handler.lfs_put),
    ("POST", f"/api/models/{_NAME}/commit/(.+)", _Handler.commit),
    ("GET HEAD", f"/{_NAME}/resolve/([^/]+)/(.+)", _Handler.file),
)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def hub_mirror(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Mirror]:
    """Run a hub, and let huggingface_hub of this process use it with `TOKEN`.

    Args:
        home: for its cache.
    """
    pytest.importorskip("huggingface_hub", reason="needs the extra `hub`")
    constants = importlib.import_module("huggingface_hub.constants")
    mirror = Mirror()
    threading.Thread(target=mirror.serve_forever, daemon=True).start()
    settings = {"HF_ENDPOINT": mirror.address, "HF_HOME": str(home), "HF_TOKEN": TOKEN}
    settings |= {"NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    settings |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    try:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            importlib.reload(constants)  # it reads the environment at import
            yield mirror
    finally:
        importlib.reload(constants)
        mirror.shutdown()
        mirror.server_close()
