"""The loop with a stand-in for the compiled step: what it does when something goes wrong."""

import itertools
import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dmcf_jax.configs import default
from dmcf_jax.errors import UserError
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.methods.train_step import skip_if_non_finite
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runs.run import Run
from dmcf_jax.runs.skipped_steps import SkippedSteps
from dmcf_jax.runtime.signals import Interruption
from dmcf_jax.training.loop import Loop, NonFiniteLoss

NAN = float("nan")


def state_at(step):
    return TrainState(jnp.int32(step), {"kernel": jnp.float32(step)}, {"mean": jnp.ones(2)}, ())


def run_loop(workdir, losses, batches=None, during=lambda step: None, on_step=None, **settings):
    """Run the loop over steps that report `losses`; a loss of NaN counts as left out."""
    config = default.get_config()
    config.train.update(steps=len(losses), checkpoint_every=2, log_every=1, **settings)

    def step_fn(state, source, keys):
        step = int(state.step)
        during(step)
        skipped = settings.get("skip_non_finite", 0) and not np.isfinite(losses[step])
        extra = {"skipped": bool(skipped)} if settings.get("skip_non_finite") else {}
        return state_at(step + 1), {"loss": np.float32(losses[step]), **extra}

    batches = iter(batches) if batches is not None else itertools.repeat(())
    with Interruption() as interruption, Run(workdir, config, interruption) as run:
        loop = Loop(run, step_fn, (), validate=lambda state: {}, on_step=on_step)
        return loop.run(state_at(run.start), next(batches), batches)


def saved_steps(workdir):
    return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())


def test_a_nan_stops_with_step_part_and_last_good_checkpoint(tmp_path):
    with pytest.raises(NonFiniteLoss, match=r"^step 4: .*checkpoint is step 2 ") as caught:
        run_loop(tmp_path, [3.0, 2.0, 1.0, NAN, 1.0, 1.0])
    assert caught.value.about == ("loss",)
    assert saved_steps(tmp_path) == [2]


def test_some_nans_are_left_out_counted_and_logged(tmp_path, capsys):
    assert int(run_loop(tmp_path, [3.0, NAN, 1.0, NAN], skip_non_finite=2).step) == 4
    lines = read_metrics(tmp_path / "skipped.jsonl")
    assert [line["step"] for line in lines] == [2, 4]
    assert "step 4 skipped (2 of 2): loss = nan" in capsys.readouterr().err
    logged = (tmp_path / "metrics.jsonl").read_text()
    assert "NaN" not in logged and json.loads(logged.splitlines()[1])["loss"] is None


def test_more_nans_than_allowed_stop_also_over_several_starts(tmp_path):
    losses = [1.0, NAN, 1.0, NAN, 1.0, NAN]
    with pytest.raises(NonFiniteLoss, match="^step 4: .* 1 steps were skipped before"):
        run_loop(tmp_path, losses, skip_non_finite=1)
    assert SkippedSteps(tmp_path, 2, 1).count == 1
    with pytest.raises(NonFiniteLoss, match="^step 6: .* 2 steps were skipped before"):
        run_loop(tmp_path, losses, skip_non_finite=2)
    # A resume from before a left-out step counts it once.
    assert SkippedSteps(tmp_path, 3, 2).count == 1


def test_batches_that_do_not_come_save_and_name_the_wait(tmp_path):
    def stuck():
        yield from [(), (), ()]
        raise TimeoutError("no batch came for 120 s: the host is still gathering")

    with pytest.raises(UserError) as caught:
        run_loop(tmp_path, [1.0] * 9, batches=stuck())
    assert caught.value.about == ("batches",)
    assert saved_steps(tmp_path) == [2, 3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_finishes_the_step_and_saves(tmp_path, capsys, number):
    def during(step):
        if step == 4:
            os.kill(os.getpid(), number)

    assert int(run_loop(tmp_path, [1.0] * 9, during=during).step) == 5
    assert saved_steps(tmp_path)[-1] == 5
    name = signal.Signals(number).name
    assert f"{name}: saved step 5; run the same command" in capsys.readouterr().err


def test_a_folder_that_vanishes_is_reported_and_not_made_again(tmp_path):
    workdir = tmp_path / "run"

    def during(step):
        if step == 5:
            while not (workdir / "checkpoints/4").exists():
                pass  # a write in flight would make its own folder again
            workdir.rename(tmp_path / "elsewhere")

    with pytest.raises(UserError) as caught:
        run_loop(workdir, [1.0] * 9, during=during)
    assert caught.value.about == (str(workdir),)
    assert not workdir.exists()
    assert saved_steps(tmp_path / "elsewhere")[-1] == 4


@pytest.mark.usefixtures("standard_promotion")
def test_a_step_left_out_changes_nothing_but_the_counts():
    schedule = optax.piecewise_constant_schedule(0.1, {1: 0.1})
    adam = optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(schedule))
    params = {"w": jnp.arange(3.0)}

    def after(state, gradient):
        updates, moments = adam.update({"w": gradient}, state.opt_state)
        return TrainState(
            state.step + 1, optax.apply_updates(state.params, updates), {"m": gradient}, moments
        )

    before = after(
        TrainState(jnp.int32(0), params, {"m": jnp.zeros(3)}, adam.init(params)), jnp.ones(3)
    )
    bad = after(before, jnp.full(3, NAN))
    kept = jax.jit(skip_if_non_finite)(jnp.bool_(False), bad, before)
    for part in ("params", "batch_stats"):
        jax.tree.map(np.testing.assert_array_equal, getattr(kept, part), getattr(before, part))
    jax.tree.map(np.testing.assert_array_equal, kept.opt_state[0], before.opt_state[0])
    assert int(kept.step) == 2 and int(kept.opt_state[1].count) == 2
    good = after(before, jnp.ones(3))
    taken = jax.jit(skip_if_non_finite)(jnp.bool_(True), good, before)
    jax.tree.map(np.testing.assert_array_equal, taken, good)
