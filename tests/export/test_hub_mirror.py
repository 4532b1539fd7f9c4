"""There and back through huggingface_hub itself, with a small hub on this machine.

The truth is the run's own embeddings, and what is in the folder that was uploaded.
"""

import json
import sys

import numpy as np
import pytest
from support.hub_mirror import TOKEN, Repository, hub_mirror
from support.shared_model import PEOPLE, shared_folder

from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import _load
from dmcf_jax.export.hub.layout import FILES, READ, WEIGHTS
from dmcf_jax.export.hub.push import check_push, push
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.retrieval.model import load_model, model_of
from dmcf_jax.training.init_from import start_from
from dmcf_jax.weights.hub import fetch_folder, parse_address

# By the hub's own package; not of this library.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a tiny model and its folder, which no test changes."""
    return shared_folder(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    with hub_mirror(monkeypatch, tmp_path / "home") as made:
        yield made


def refused(function, *arguments, **options):
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    assert TOKEN not in str(error.value)
    return error.value


def files_of(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_a_model_comes_back_bit_for_bit(written, mirror, capsys):
    trained, folder = written
    address = push(folder, "owner/name")
    repository = mirror.repositories["owner/name"]
    assert repository.private and address.endswith(repository.shas()[-1])
    assert repository.commits[-1] == files_of(folder)
    assert f"Bearer {TOKEN}" in {token for *_, token in mirror.asked}
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 30, 3), np.uint8)
    run, shared = model_of(trained, "run"), load_model("hf://owner/name")
    assert shared.fingerprint == run.fingerprint and shared.source == "hf://owner/name"
    for modality in ("visible", "infrared"):
        expected = run.embed(images, modality)
        np.testing.assert_array_equal(shared.embed(images, modality), expected)
    _, known = _load("hf://owner/name", None, False)
    assert known["people"] == len(PEOPLE)
    given, notes = start_from(
        variable_shapes(trained.model, (32, 32)), "hf://owner/name", list(PEOPLE)
    )
    assert notes == [] and given["params"].keys() == trained.variables["params"].keys()
    printed = capsys.readouterr()
    assert TOKEN not in printed.out + printed.err


def test_only_what_is_needed_is_fetched_and_only_once(written, mirror, tmp_path):
    mirror.put("owner/name", files_of(written[1]) | {"evil.py": b"x", "pytorch_model.bin": b"y"})
    load_model("hf://owner/name")
    fetched = [path.rsplit("/", 1)[-1] for method, path, _ in mirror.asked if method == "GET"]
    assert set(READ) <= set(fetched) and not {"evil.py", "pytorch_model.bin"} & set(fetched)
    assert not [p for p in tmp_path.rglob("*") if p.name in ("evil.py", "pytorch_model.bin")]
    mirror.asked.clear()
    load_model("hf://owner/name")
    assert not [path for method, path, _ in mirror.asked if method == "GET" and "resolve" in path]


def test_what_was_fetched_is_used_without_a_network(written, mirror, capsys):
    mirror.put("owner/name", files_of(written[1]))
    before = load_model("hf://owner/name").fingerprint
    mirror.shutdown()
    mirror.server_close()
    assert load_model("hf://owner/name").fingerprint == before
    assert "cannot be reached" in capsys.readouterr().err
    error = refused(load_model, "hf://owner/other")
    assert error.about == ("hf://owner/other",) and "network" in str(error)


def test_a_revision_is_the_one_that_was_asked_for(written, mirror):
    mirror.put("owner/name", files_of(written[1]))
    first = mirror.repositories["owner/name"].shas()[-1]
    mirror.put("owner/name", {WEIGHTS: b"damaged"})
    assert load_model(f"hf://owner/name@{first}").source.endswith(first)
    assert set(READ) == set(refused(load_model, "hf://owner/name").about)
    error = refused(load_model, "hf://owner/name@v9")
    assert error.about == ("hf://owner/name@v9",) and "revision" in str(error)


def test_a_damaged_or_changed_repository_is_refused(written, mirror):
    files = files_of(written[1])
    data = bytearray(files[WEIGHTS])
    data[-1] ^= 1
    mirror.put("owner/flipped", files | {WEIGHTS: bytes(data)})
    assert refused(load_model, "hf://owner/flipped").about == (WEIGHTS,)
    content = json.loads(files["config.json"])
    content["config"]["data.data_dir"] = "/etc"
    mirror.put("owner/config", files | {"config.json": json.dumps(content).encode()})
    error = refused(load_model, "hf://owner/config")
    assert error.about == ("config.json", "config.json: data.data_dir")
    assert str(error).startswith("hf://owner/config was refused")


def test_a_file_that_is_too_big_is_not_downloaded(written, mirror):
    mirror.put("owner/big", files_of(written[1]))
    mirror.told_sizes = {WEIGHTS: 10**12, "config.json": 10**9}
    assert refused(load_model, "hf://owner/big").about == (WEIGHTS, "config.json")
    assert not [path for _, path, _ in mirror.asked if "resolve" in path]


def test_a_repository_that_is_not_there_is_named(mirror):
    error = refused(load_model, "hf://owner/nothing")
    assert error.about == ("hf://owner/nothing",) and "no such repository" in str(error)


def test_a_public_repository_is_written_only_on_purpose(written, mirror):
    mirror.repositories["owner/seen"] = Repository(private=False)
    assert refused(push, written[1], "owner/seen").about == ("--push",)
    assert mirror.repositories["owner/seen"].commits == [{}]
    push(written[1], "owner/seen", public=True)
    push(written[1], "owner/new", public=True)
    assert not mirror.repositories["owner/new"].private
    assert mirror.repositories["owner/seen"].commits[-1] == files_of(written[1])


def test_only_the_files_of_a_shared_model_are_uploaded(written, mirror, tmp_path):
    for name, data in {**files_of(written[1]), ".env": b"SECRET", "notes.txt": b"mine"}.items():
        (tmp_path / name).write_bytes(data)
    push(tmp_path, "owner/name")
    assert mirror.repositories["owner/name"].commits[-1] == files_of(written[1])


def test_an_upload_without_the_right_token_leaves_the_folder(written, mirror, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrongwrong")
    error = refused(push, written[1], "owner/name")
    assert error.about == ("owner/name",) and "hf auth login" in str(error)
    assert "hf_wrong" not in str(error) and str(written[1]) in str(error)
    assert not mirror.repositories and load_model(written[1])


def test_a_token_in_a_message_is_not_shown(written, mirror, monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise RuntimeError(f"bad header: Bearer {TOKEN}")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", fail)
    assert "Bearer ***" in str(refused(push, written[1], "owner/name"))


@pytest.mark.parametrize(
    "address",
    ["hf://", "hf://name", "hf://a/b/c", "hf://../x", "hf://a/b@", "hf://a/b@../c", "hf://a/b c"],
)
def test_what_is_no_address_is_refused_before_anything_is_asked(address):
    assert refused(load_model, address).about == (address,)


def test_an_address_has_a_repository_and_a_revision():
    assert parse_address("hf://owner/na.me_1") == ("owner/na.me_1", None)
    assert parse_address("hf://owner/name@v1.0") == ("owner/name", "v1.0")
    assert parse_address("hf://owner/name@refs/pr/3").revision == "refs/pr/3"


def test_without_the_hubs_package_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call, about in (
        (lambda: check_push("owner/name"), "--push"),
        (lambda: fetch_folder("hf://owner/name", {WEIGHTS: 1}), "hf://owner/name"),
    ):
        error = refused(call)
        assert error.about == (about,) and "pip install dmcf_jax[hub]" in str(error)
