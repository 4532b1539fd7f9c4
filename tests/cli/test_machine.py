"""Commands on machines that are not as ours: no home, odd names, pipes, backends, memory."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.commands import environment, run
from support.toys import write_people

from dmcf_jax import errors
from dmcf_jax.cli import app
from dmcf_jax.data.records.verify_records import verify_prepared
from dmcf_jax.runs.folder import refuse_other_config
from dmcf_jax.runtime import compilation_cache
from dmcf_jax.runtime.streams import _keep_number, open_closed_streams


def ended(function, *arguments):
    with pytest.raises(SystemExit) as status:
        errors.exit_gracefully(function)(*arguments)
    return status.value.code


def raiser(error):
    def fail():
        raise error

    return fail


@pytest.mark.parametrize("fault", [RuntimeError("no home"), PermissionError(13, "denied")])
def test_without_a_home_there_is_no_cache_and_one_line(monkeypatch, capsys, fault):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "true")
    monkeypatch.setattr(Path, "home", raiser(fault))
    compilation_cache.keep_compiled()
    assert os.environ["JAX_ENABLE_COMPILATION_CACHE"] == "false"
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("folder", ["off", "DIR"])
def test_a_cache_that_is_named_never_asks_for_a_home(monkeypatch, tmp_path, capsys, folder):
    monkeypatch.setattr(Path, "home", raiser(RuntimeError("no home")))
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    compilation_cache.keep_compiled(str(tmp_path) if folder == "DIR" else folder)
    assert capsys.readouterr().err == ""
    assert os.environ.get("JAX_COMPILATION_CACHE_DIR", str(tmp_path)) == str(tmp_path)


def test_a_cache_folder_that_cannot_be_made_is_no_default(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compilation_cache.default_folder() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert compilation_cache.default_folder() == tmp_path / "cache/dmcf_jax/compiled"


def test_names_that_are_not_utf_8_are_printed(monkeypatch):
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    monkeypatch.setattr(app.app, "run", lambda *_, **__: print(os.fsdecode(b"Zo\xeb.png")))
    app.run(lambda: None)
    streams[0].flush()
    assert streams[0].buffer.getvalue() == b"Zo\\udceb.png\n"


def test_a_closed_pipe_ends_quietly(capsys):
    stdout = sys.stdout
    assert ended(raiser(BrokenPipeError(32, "Broken pipe"))) == 0
    sys.stdout.close()
    sys.stdout = stdout
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_command_whose_reader_leaves_says_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "scripts/evaluate.py", "--list_protocols"]
    with os.fdopen(writer, "w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, env=environment())
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_without_standard_streams_does_its_work(tmp_path, closed):
    write_people(tmp_path / "people")
    words = f"--dataset=own --source={tmp_path}/people --data_dir={tmp_path}/data"
    command = f"{sys.executable} scripts/prepare_data.py {words} --split_by_identity=0.5 {closed}"
    done = subprocess.run(["bash", "-c", command], env=environment(), capture_output=True)
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"people", "data"}
    assert not verify_prepared("own", tmp_path / "data")[0].built


def test_the_number_of_a_closed_stream_is_taken_by_nothing_else(monkeypatch):
    number = 200  # stands for a closed 0, 1 or 2
    with pytest.raises(OSError):
        os.fstat(number)
    _keep_number(number)
    assert os.path.samestat(os.fstat(number), os.stat(os.devnull))
    os.close(number)
    monkeypatch.setattr(sys, "stdin", None)
    open_closed_streams()
    with sys.stdin as stream:
        assert stream.read() == ""


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "gpu", "tpu"])
def test_a_backend_that_is_not_there_is_a_sentence(platform):
    program = "from dmcf_jax.errors import exit_gracefully as wrap\nimport jax\nwrap(jax.devices)()"
    done = run("-c", program, env=environment(platform=platform))
    if done.returncode == 0:
        pytest.skip(f"this machine has {platform}")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"error: JAX_PLATFORMS={platform}, but JAX cannot use that here" in done.stderr


def test_other_errors_keep_their_traceback(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    with pytest.raises(AssertionError):
        errors.exit_gracefully(raiser(AssertionError("a fault of the package")))()
    with pytest.raises(RuntimeError):
        errors.exit_gracefully(raiser(RuntimeError("a fault of the package")))()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes."),
        MemoryError(),
        np._core._exceptions._ArrayMemoryError((10**9,), np.dtype("f4")),
    ],
)
def test_memory_that_is_full_names_what_to_lower(capsys, error):
    assert ended(raiser(error)) == 2
    said = capsys.readouterr().err
    assert "sampler.P" in said and "model.remat" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("made", "refused"),
    [((), False), (("metrics.jsonl",), True), (("checkpoints/4/x",), True), ((".lock",), False)],
)
def test_a_folder_in_which_no_step_was_made_takes_another_config(tmp_path, made, refused):
    from ml_collections import ConfigDict

    from dmcf_jax.config.validate import flatten
    from dmcf_jax.configs import regdb

    config = ConfigDict(regdb.get_config())
    (tmp_path / "config.json").write_text(json.dumps(flatten(config)))
    (tmp_path / "checkpoints").mkdir()
    for name in made:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}\n")
    config.sampler.K = 2
    if refused:
        with pytest.raises(errors.UserError):
            refuse_other_config(tmp_path, config)
    else:
        refuse_other_config(tmp_path, config)


def test_windows_is_told_in_a_sentence(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "dmcf_jax.runtime.locks", raising=False)
    monkeypatch.delattr("dmcf_jax.runtime.locks", raising=False)
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as where there is none
    with pytest.raises(SystemExit) as status:
        app.run(lambda: None)
    assert status.value.code == 2 and "WSL" in capsys.readouterr().err
