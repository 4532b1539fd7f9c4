"""The program that imports the package stays as it was: filters, levels, handlers, settings."""

import json
import os
import warnings

import pytest
from support import program_state
from support.commands import ROOT, environment, run


def test_changes_are_seen(monkeypatch):
    before = program_state.state()
    monkeypatch.setenv("DMCF_CHANGED", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = program_state.changes(before, program_state.state())
    assert sorted(found) == ["$DMCF_CHANGED", "warnings filters"]
    assert found["$DMCF_CHANGED"] == (None, "'1'")


@pytest.mark.slow
def test_importing_and_calling_change_nothing_of_the_program(tmp_path):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = run(program_state.__file__, tmp_path, env=environment(PYTHONPATH=paths))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [{}, {}]
