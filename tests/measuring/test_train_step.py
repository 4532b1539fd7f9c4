"""The step that is timed, of methods whose losses have parameters of their own."""

import numpy as np
import pytest
from support import tiny

from benchmarks.train_step import make_step


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("method", ["gsm", "hcml"])
def test_the_step_of_a_method_with_its_own_parameters_can_be_timed(method):
    config = tiny.config(tiny.ONE_LEVEL, variant=method)
    run_step = make_step(config)
    _, first = run_step()
    _, second = run_step()
    assert np.isfinite(first["loss"]) and float(first["loss"]) != float(second["loss"])
