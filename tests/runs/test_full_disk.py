"""A disk that is full, read-only or gone: a sentence, and what was saved before stays whole."""

import dataclasses
import errno
import os
import shutil
import subprocess
import sys

import jax.numpy as jnp
import pytest
from support.checkpoints import load, same, state_of
from support.disks import files_of_at_most, fill, small_disk
from support.trees import write_regdb

from dmcf_jax import errors
from dmcf_jax.data import image_cache
from dmcf_jax.data.image_store import load_images
from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.errors import UserError
from dmcf_jax.runs import folder as run_folder
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.metrics_log import MetricWriter, keep_lines_until, read_metrics
from dmcf_jax.runtime.checksums import checksum_problems

# Where it fails, orbax leaves work behind that nobody waits for.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_checkpoint_on_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(UserError, match="No space left.*step 2 is safe.*Free space"):
            with Checkpoints(disk) as checkpoints:
                checkpoints.save(state_of(2))
                checkpoints.wait()
                fill(disk, leave=8192)
                checkpoints.save(state_of(4))
                checkpoints.wait()
        assert os.listdir(disk / "checkpoints") == ["2"]
        assert checksum_problems(disk / "checkpoints/2") == []
        (disk / "filler").unlink()
        with Checkpoints(disk) as checkpoints:
            assert same(checkpoints.load(state_of(0)), state_of(2))
            checkpoints.save(state_of(4))
            checkpoints.wait()
        assert same(load(disk), state_of(4))


def test_of_many_arrays_that_find_no_room_none_shows_a_traceback(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda it: shown.append(it.exc_value))
    arrays = {str(number): jnp.ones((40, 4)) for number in range(100)}
    many = dataclasses.replace(state_of(2), params=arrays)
    with small_disk(tmp_path / "disk") as disk, pytest.raises(UserError, match="No space left"):
        fill(disk, leave=12000)
        with Checkpoints(disk) as checkpoints:
            checkpoints.save(many)
            checkpoints.wait()
    assert shown == []


def test_a_checkpoint_on_a_disk_that_became_read_only(tmp_path):
    with small_disk(tmp_path / "disk") as disk, Checkpoints(disk) as checkpoints:
        checkpoints.save(state_of(2))
        checkpoints.wait()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(UserError, match="Read-only file system.*step 2 is safe"):
            checkpoints.save(state_of(4))
            checkpoints.wait()
        assert same(checkpoints.load(state_of(0)), state_of(2))
        with pytest.raises(UserError, match="cannot be written: Read-only"):
            with run_folder.lock_run(disk / "another"):
                pass


def test_a_log_on_a_full_disk_neither_hangs_nor_loses_lines(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        writer = MetricWriter(disk, 0)
        writer.write(1, {"loss": 1.0})
        fill(disk)
        with pytest.raises(OSError) as raised:
            for step in range(2, 2000):
                writer.write(step, {"loss": 1.0})
        assert raised.value.errno == errno.ENOSPC
        writer.close()
        (disk / "filler").unlink()
        keep_lines_until(disk / "metrics.jsonl", 10_000)
        steps = [line["step"] for line in read_metrics(disk / "metrics.jsonl")]
        assert steps == list(range(1, len(steps) + 1))
        MetricWriter(disk, len(steps)).close()


def test_records_and_caches_on_a_full_disk_leave_nothing(tmp_path):
    source = write_regdb(tmp_path / "source", trials=(1,))
    with small_disk(tmp_path / "disk", kilobytes=16) as disk:
        with pytest.raises(UserError, match="cannot be written .*No space left"):
            prepare("regdb", source, disk / "data", trial=1, unofficial=True)
        assert os.listdir(disk) == []
        prepare("regdb", source, tmp_path / "data", trial=1, unofficial=True)
        where = {"trial": 1, "cache_dir": disk / "cache"}
        with pytest.raises(UserError, match="No space left.*free some"):
            load_images("regdb", tmp_path / "data", ("train",), (64, 32), **where)
        assert os.listdir(disk / "cache") == []
        assert len(load_images("regdb", tmp_path / "data", ("train",), (8, 4), **where)) == 8


def fill_cache(write):
    for row in range(64):
        write(row, image_cache.np.full((1, 32, 32, 3), row, "u1"))
    zeros = image_cache.np.zeros(64, "i4")
    return dict.fromkeys(image_cache.FIELDS, zeros)


def test_a_cache_that_finds_no_room_leaves_nothing(tmp_path):
    stamp = {"shape": [64, 32, 32, 3]}
    with files_of_at_most(100), pytest.raises(OSError, match="File too large"):
        image_cache.write_cache(tmp_path / "cache/one", stamp, fill_cache)
    assert os.listdir(tmp_path / "cache") == []
    image_cache.write_cache(tmp_path / "cache/one", stamp, fill_cache)
    assert image_cache.read_cache(tmp_path / "cache/one", stamp) is not None


def test_a_checkpoint_that_finds_no_room_without_root(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state_of(2))
        checkpoints.wait()
        with files_of_at_most(1), pytest.raises(UserError, match="step 2 is safe"):
            checkpoints.save(state_of(4))
            checkpoints.wait()
        assert os.listdir(tmp_path / "checkpoints") == ["2"]
    assert same(load(tmp_path), state_of(2))


def test_a_workdir_that_vanished_is_not_made_anew(tmp_path):
    with run_folder.lock_run(tmp_path / "run") as held:
        held.check()
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(UserError, match="vanished"):
            held.check()
        (tmp_path / "run").mkdir()
        (tmp_path / "run/.lock").touch()
        with pytest.raises(UserError, match="vanished"):
            held.check()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_any_command_tells_of_a_disk_in_trouble(number, capsys):
    def main():
        raise OSError(number, os.strerror(number), "some/file")

    with pytest.raises(SystemExit) as ended:
        errors.exit_gracefully(main)()
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.startswith("error: some/file") and os.strerror(number) in told


def test_other_faults_keep_their_traceback():
    def main():
        raise FileNotFoundError(errno.ENOENT, "gone", "some/file")

    with pytest.raises(FileNotFoundError):
        errors.exit_gracefully(main)()
