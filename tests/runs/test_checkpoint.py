"""Damaged checkpoints are named before they are loaded, and the one before is offered."""

import os
import subprocess

import jax.numpy as jnp
import pytest
from support.checkpoints import load, same, state_of

from dmcf_jax.errors import UserError
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.runs.checkpoint import KEPT, Checkpoints
from dmcf_jax.runs.folder import read_json
from dmcf_jax.runtime.checksums import NAME, checksum_problems, write_checksums

# Where it fails, orbax leaves work behind that nobody waits for.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with checkpoints of the steps 4 and 6."""
    workdir = tmp_path_factory.mktemp("saved")
    with Checkpoints(workdir) as checkpoints:
        for step in (2, 4, 6):
            checkpoints.save(state_of(step), {"mAP": 0.5})
        checkpoints.wait()
    return workdir


@pytest.fixture
def workdir(saved, tmp_path):
    """A copy of `saved` to be damaged."""
    subprocess.run(["cp", "-r", saved / "checkpoints", tmp_path], check=True)
    return tmp_path


def files_of(workdir, step):
    return sorted(p for p in (workdir / f"checkpoints/{step}").rglob("*") if p.is_file())


def test_whole_checkpoints_load_and_sha256sum_agrees(saved):
    assert same(load(saved), state_of(6)) and same(load(saved, 4), state_of(4))
    assert len(list((saved / "checkpoints").iterdir())) == KEPT
    folder = saved / "checkpoints/6"
    checked = subprocess.run(["sha256sum", "--check", "--quiet", NAME], cwd=folder)
    assert checked.returncode == 0


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


HARMS = {"flipped": flip, "cut": cut, "missing": os.unlink}


@pytest.mark.parametrize("harm", HARMS)
def test_every_file_is_guarded_and_the_checkpoint_before_is_offered(saved, workdir, harm):
    """Each file in turn; the two that hold only times may be damaged and change nothing."""
    whole, loaded = {p: p.read_bytes() for p in files_of(workdir, 6)}, []
    with Checkpoints(workdir) as checkpoints:
        for path, data in whole.items():
            HARMS[harm](path)
            try:
                assert same(checkpoints.load(state_of(0)), state_of(6))
                loaded.append(path.relative_to(workdir / "checkpoints/6").as_posix())
            except UserError as error:
                folder = str(workdir / "checkpoints/6")
                assert error.about == (folder,) and "add --step=4" in str(error)
                assert path.name in str(error.problems[0]) or path.name == NAME
            path.write_bytes(data)
    assert set(loaded) <= {"_CHECKPOINT_METADATA", "commit_success.txt"}


def test_a_damaged_one_before_is_not_offered(workdir):
    for step in (4, 6):
        flip(max(files_of(workdir, step), key=lambda p: p.stat().st_size))
    with pytest.raises(UserError) as caught:
        load(workdir)
    assert "--step" not in str(caught.value)


def test_what_has_hashes_but_cannot_be_read_is_reported_too(workdir):
    """Damage that came before the hashes: orbax's own complaint becomes a sentence."""
    folder = workdir / "checkpoints/6"
    for path in files_of(workdir, 6):
        if path.name == "manifest.ocdbt":
            path.write_bytes(b"rubbish")
    write_checksums(folder)
    assert checksum_problems(folder) == []
    with pytest.raises(UserError, match="--step=4") as caught:
        load(workdir)
    assert caught.value.about == (str(folder),)


def test_another_network_than_the_files_is_reported(workdir):
    other = TrainState(jnp.int32(0), {"kernel": jnp.ones((3, 3))}, {"mean": jnp.ones(3)}, ())
    with Checkpoints(workdir) as checkpoints, pytest.raises(UserError, match="checkpoints/6"):
        checkpoints.load(other)


def test_going_back_moves_later_checkpoints_aside(workdir):
    with Checkpoints(workdir) as checkpoints:
        assert checkpoints.set_aside_after(4) == [workdir / "set_aside/6"]
        assert checkpoints.steps() == [4]
        checkpoints.save(state_of(6))
        checkpoints.wait()
        assert checkpoints.set_aside_after(4) == [workdir / "set_aside/6_2"]
        with pytest.raises(UserError, match="no checkpoint of step 5"):
            checkpoints.set_aside_after(5)
    assert checksum_problems(workdir / "set_aside/6") == []


def test_a_half_deleted_checkpoint_does_not_stop_the_run(workdir):
    """A kill while an old checkpoint was being removed leaves some of its files."""
    for path in files_of(workdir, 4)[::2]:
        path.unlink()
    with Checkpoints(workdir) as checkpoints:
        assert same(checkpoints.load(state_of(0)), state_of(6))
        for step in (8, 10):
            checkpoints.save(state_of(step))
        checkpoints.wait()
        assert checkpoints.steps() == [8, 10]


@pytest.mark.parametrize("contents", [b"", b"{", b"\xff\xfe", b"[1, 2"])
def test_damaged_files_of_a_run_are_named(tmp_path, contents):
    (tmp_path / "classes.json").write_bytes(contents)
    with pytest.raises(UserError) as caught:
        read_json(tmp_path / "classes.json")
    assert caught.value.about == (str(tmp_path / "classes.json"),)
