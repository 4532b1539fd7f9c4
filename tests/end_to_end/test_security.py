"""No file of a user's can run code: nothing unpickles, evaluates or executes what it reads."""

import ast
import io
import os
import pickle
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from support.checkpoints import load, state_of
from support.commands import ROOT, run

from dmcf_jax.data import decode, image_cache
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.score import score
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.weights.torch_pickle import read_torch_file

SOURCES = sorted(p for part in ("dmcf_jax", "scripts") for p in (ROOT / part).rglob("*.py"))
# Modules that run or unpickle what they read, and calls that do.
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "torch"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load"}
# The reader of .pth files is an unpickler that knows tensors and refuses every other name.
ALLOWED = {("dmcf_jax/weights/torch_pickle.py", "pickle")}


def dotted(node):
    """Return the dotted name of an expression such as `np.load`, '' for others."""
    if isinstance(node, ast.Name):
        return node.id
    inner = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{inner}.{node.attr}" if inner else ""


def findings(source: str) -> set[str]:
    """Return what in a program could run a file's contents."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").split(".")[0]} & MODULES
        elif isinstance(node, ast.Call):
            name, given = dotted(node.func), {k.arg: k.value for k in node.keywords}
            found |= {name} & CALLS
            # NumPy's own default is not to load pickles.
            pickles = given.get("allow_pickle", ast.Constant(False))
            if name.endswith(("np.load", "numpy.load")) and not (
                isinstance(pickles, ast.Constant) and pickles.value is False
            ):
                found.add("np.load with pickles")
            if isinstance(given.get("shell"), ast.Constant) and given["shell"].value:
                found.add("shell=True")
    return found


def test_the_search_finds_what_it_looks_for():
    bad = "import pickle\nnp.load(f, allow_pickle=a)\neval(x)\nyaml.load(x)\nrun(x, shell=True)"
    expected = {"pickle", "np.load with pickles", "eval", "yaml.load", "shell=True"}
    assert findings(bad) == expected
    assert findings("np.load(f, allow_pickle=True)") == {"np.load with pickles"}
    assert (
        findings("jitted.lower(x).compile(); np.load(f); np.load(f, allow_pickle=False)") == set()
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_source_can_run_what_it_reads(path):
    name = path.relative_to(ROOT).as_posix()
    found = {one for one in findings(path.read_text()) if (name, one) not in ALLOWED}
    # PyTorch is a reference, on the maintainer's machine only.
    beside = "benchmarks" in name or name.startswith("scripts/make_golden")
    assert found <= ({"torch"} if beside else set())


def test_nothing_is_downloaded_unless_asked():
    """No module of dmcf_jax opens a URL; hub files come by their own package, for hf:// only."""
    words = re.compile(r"urllib|requests\.[a-z]|http\.client|urlopen|urlretrieve|create_connection")
    assert [p.name for p in SOURCES if words.search(p.read_text())] == []


class Attack:
    """Leaves a file behind when unpickled."""

    def __init__(self, witness):
        self.witness = str(witness)

    def __reduce__(self):
        return os.mkdir, (self.witness,)


def test_the_attack_works_where_pickles_are_loaded(tmp_path):
    pickle.loads(pickle.dumps(Attack(tmp_path / "witness")))
    assert (tmp_path / "witness").exists()


def test_a_malicious_npz_runs_nothing(tmp_path):
    witness = tmp_path / "witness"
    hostile = np.array([Attack(witness)], object)
    np.savez(tmp_path / "bad.npz", query_features=hostile, query_ids=hostile)
    with pytest.raises(UserError, match="never loaded"):
        score(str(tmp_path / "bad.npz"))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Attack(witness)))
    with pytest.raises(UserError):
        score(str(tmp_path / "bare.npz"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/stamp.json").write_bytes(pickle.dumps(Attack(witness)))
    assert image_cache.read_cache(tmp_path / "cache", {}) is None
    assert not witness.exists()


def test_a_malicious_pth_runs_nothing(tmp_path):
    witness, data = tmp_path / "witness", pickle.dumps({"w": Attack(tmp_path / "witness")})
    (tmp_path / "bare.pth").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("model/data.pkl", data)
    for name in ("bare.pth", "zip.pth"):
        with pytest.raises(UserError, match="refused"):
            read_torch_file(tmp_path / name)
    assert not witness.exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_malicious_checkpoint_runs_nothing(tmp_path):
    """A pickle in the place of each of its files in turn, with the right hashes."""
    from dmcf_jax.runtime.checksums import write_checksums

    witness = tmp_path / "witness"
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state_of(2))
        checkpoints.wait()
    folder = tmp_path / "checkpoints/2"
    for path in [p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS"]:
        complete = path.read_bytes()
        path.write_bytes(pickle.dumps(Attack(witness)))
        write_checksums(folder)
        try:
            load(tmp_path)
        except UserError as error:
            assert "checkpoints/2" in str(error)
        path.write_bytes(complete)
    assert not witness.exists()


def png_of(width, height):
    """Return a PNG of a few bytes that claims `width` x `height` pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(5000, 5000), (12000, 12000), (60000, 60000), (2**31 - 1,) * 2])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(size, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("was decoded"))
    with pytest.raises(decode.BadImage, match="at most 4096|pixels|cannot be opened"):
        decode.decode(png_of(*size), (8, 4))


def test_an_archive_that_unpacks_beyond_memory_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10,)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("query_features.npy", header.getvalue() + bytes(10))
    data = bytearray(path.read_bytes())
    place = data.rfind(b"PK\x01\x02") + 24  # the uncompressed size in the directory
    data[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096}.get(name, 1000))
        with pytest.raises(UserError, match="query_features: unpacks to 4 GB, more than"):
            score(str(path))


@pytest.mark.slow
def test_a_config_from_a_run_is_data(tmp_path):
    """config.json is read as JSON: a Python expression in it is only text."""
    (tmp_path / "config.json").write_text("{\"variant\": \"__import__('os').mkdir('witness')\"}")
    program = (
        "import sys; from pathlib import Path; from dmcf_jax.runs.folder import restore_config\n"
        "print(restore_config(Path(sys.argv[1])).variant)"
    )
    done = run("-c", program, tmp_path, cwd=tmp_path)
    assert "__import__" in done.stdout and not (tmp_path / "witness").exists()
