"""A launcher that speaks of processes which do not come: a word at once, then a sentence."""

import pytest
from support.commands import environment, run

PROGRAM = """
from dmcf_jax.runtime import devices
devices.START_SECONDS = 2
devices.start_hosts({arguments})
"""
SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_JOB_NODELIST": "localhost",
    "SLURM_STEP_NODELIST": "localhost",
    "SLURM_STEP_NUM_NODES": "1",
}


@pytest.mark.slow
@pytest.mark.parametrize("process", ["0", "2"])
def test_the_end_is_a_sentence_and_status_2(process):
    settings = SLURM | {"SLURM_PROCID": process, "SLURM_LOCALID": process}
    done = run("-c", PROGRAM.format(arguments=""), env=environment(**settings), timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    first, *_, last = done.stderr.strip().splitlines()
    assert first.startswith("waiting for all 4 processes of SLURM job 4711")
    assert last.startswith("error: waited 2 s") and "--nomultihost" in last


@pytest.mark.slow
def test_alone_nothing_is_waited_for():
    done = run("-c", PROGRAM.format(arguments="False"), env=environment(**SLURM), timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
