"""What is said where a run starts."""

import pytest

from dmcf_jax.config.validate import validate
from dmcf_jax.configs import own
from dmcf_jax.training.start import _note_short_run


@pytest.mark.parametrize(("steps", "said"), [(1, "5%"), (10, "50%"), (20, ""), (200, "")])
def test_a_run_that_ends_in_its_warm_up_is_valid_and_said(capsys, steps, said):
    config = own.get_config("quick")
    config.train.steps = steps
    validate(config)
    _note_short_run(config)
    noted = capsys.readouterr().err
    assert said in noted if said else noted == ""
