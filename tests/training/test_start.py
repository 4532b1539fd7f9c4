"""What is said where a run starts."""

import pytest
from support import tiny

from dmcf_jax.config.build import build
from dmcf_jax.config.validate import validate
from dmcf_jax.configs import own
from dmcf_jax.training.start import _note_short_run, start_variables


@pytest.mark.parametrize(("steps", "said"), [(1, "5%"), (10, "50%"), (20, ""), (200, "")])
def test_a_run_that_ends_in_its_warm_up_is_valid_and_said(capsys, steps, said):
    config = own.get_config("quick")
    config.train.steps = steps
    validate(config)
    _note_short_run(config)
    noted = capsys.readouterr().err
    assert said in noted if said else noted == ""


@pytest.mark.parametrize(
    ("variant", "factor", "start", "said"),
    [
        ("", 0.1, None, "; the rates are 0.1 times as high; triplet losses count from step 5."),
        ("", 1.0, None, "; triplet losses count from step 5."),
        ("", 0.1, 0, "; the rates are 0.1 times as high."),
        ("", 1.0, 0, "."),
        ("one_stream", 1.0, None, "."),  # a method without triplets
    ],
)
def test_what_is_gentler_at_random_weights_is_said(capsys, variant, factor, start, said):
    changes = {"optim.random_start_factor": factor, "loss.triplet_start_step": start}
    config = tiny.config(tiny.ONE_LEVEL | changes, variant=variant)  # 8 steps, 60 % are 5
    start_variables(config, build(config, 3))
    assert capsys.readouterr().err == (
        f"NOTE: both streams start at random weights (model.pretrained is empty){said}\n"
    )
