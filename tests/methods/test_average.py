"""The average of weights and batch statistics: a literal recurrence, and who uses it."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from support import tiny, tiny_run

from dmcf_jax.config.build import build
from dmcf_jax.config.validate import validate
from dmcf_jax.configs import regdb
from dmcf_jax.data.augment import Augmentation
from dmcf_jax.data.identity_sampler import PairBatch
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import evaluate
from dmcf_jax.export.run import export_run
from dmcf_jax.export.stablehlo import read_exported_weights
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.methods.train_state import TrainState, make_state
from dmcf_jax.methods.train_step import make_train_step
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.load import load_trained
from dmcf_jax.runs.summary import read_summary, summary_lines
from dmcf_jax.runtime.devices import make_mesh, replicated, with_sharding
from dmcf_jax.train import train
from dmcf_jax.training.validation import Score

pytestmark = pytest.mark.usefixtures("standard_promotion")
STEPS, DECAY = 5, 0.9


class Toy(nn.Module):
    """A weight for each channel, and a running mean."""

    @nn.compact
    def __call__(self, visible, infrared, train):
        weight = self.param("weight", nn.initializers.ones, (3,))
        mean = self.variable("batch_stats", "mean", lambda: jnp.zeros(3))
        if not self.is_initializing():
            mean.value = 0.5 * mean.value + 0.5 * visible.mean((0, 1, 2))
        return jnp.sum(weight * (visible - infrared).mean((1, 2)), axis=1)


def run_toy(decay, poisoned=None, **settings):
    """Return the state before and after each of five steps; the loss of one may be NaN."""

    def loss(outputs, labels, context):
        bad = jnp.where(context.step == poisoned, jnp.nan, 1.0) if poisoned is not None else 1.0
        return jnp.mean((outputs - 1.0) ** 2) * bad, {}

    sgd = optax.sgd(0.1)
    step = jax.jit(
        make_train_step(Toy(), loss, sgd, {}, Augmentation(), ema_decay=decay, **settings)
    )
    blank = jnp.zeros((1, 4, 4, 3))
    states = [make_state(dict(Toy().init(jax.random.key(0), blank, blank, True)), sgd, decay > 0)]
    draw = np.random.default_rng(0)
    for _ in range(STEPS):
        pixels = jnp.asarray(draw.integers(0, 256, (2, 2, 4, 4, 3), np.uint8))
        batch = PairBatch(pixels[0], pixels[1], jnp.arange(2))
        states.append(step(states[-1], batch, jax.random.key(1))[0])
    return states


def test_the_average_is_the_recurrence_over_weights_and_statistics():
    states = run_toy(DECAY)
    for name, collection in (("weight", "params"), ("mean", "batch_stats")):
        expected = np.asarray(getattr(states[0], collection)[name], np.float64)
        for state in states[1:]:
            now = np.asarray(getattr(state, collection)[name], np.float64)
            expected = DECAY * expected + (1 - DECAY) * now
            np.testing.assert_allclose(state.average[collection][name], expected, rtol=1e-5)
        assert np.abs(expected - now).max() > 0.01  # they differ, so this could fail
        np.testing.assert_array_equal(
            state.evaluated[collection][name], state.average[collection][name]
        )


def test_the_weights_are_those_of_a_run_without_an_average():
    plain, averaged = run_toy(0.0)[-1], run_toy(DECAY)[-1]
    jax.tree.map(np.testing.assert_array_equal, plain.variables, averaged.variables)
    assert plain.average == () and plain.evaluated == plain.variables


def test_a_skipped_step_leaves_the_average_as_it_was():
    states = run_toy(DECAY, poisoned=2, skip_non_finite=True)
    jax.tree.map(np.testing.assert_array_equal, states[2].average, states[3].average)
    assert np.isfinite(states[-1].average["params"]["weight"]).all()


def test_a_network_without_an_average_has_no_leaves_for_it():
    config = tiny.config(tiny.ONE_LEVEL)
    without = build(config, 3).state_shapes()
    config.ema.decay = 0.5
    with_one = build(config, 3).state_shapes()
    assert jax.tree.leaves(without.average) == []
    assert jax.tree.structure(with_one.average) == jax.tree.structure(without.variables)
    assert without == dataclasses.replace(with_one, average=())


def test_scores_during_training_are_those_of_the_average():
    class Seen(Exception):
        pass

    class Spy(Embedder):
        def __init__(self):
            pass

        def __call__(self, variables, *_):
            raise Seen(variables)

    state = TrainState(jnp.int32(1), {"w": jnp.ones(2)}, {}, (), {"params": {"w": jnp.zeros(2)}})
    one = np.zeros(1, np.int32)
    store = ImageStore(np.zeros((1, 4, 4, 3), np.uint8), one, one, one, np.array(["1.png"]))
    with pytest.raises(Seen) as seen:
        Score(Spy())(state, store)
    assert not seen.value.args[0]["params"]["w"].any()


def test_a_method_without_steps_refuses_an_average():
    config = regdb.get_config("hog")
    config.ema.decay = 0.9
    with pytest.raises(UserError) as refused:
        validate(config)
    assert {problem.about for problem in refused.value.problems} == {"ema.decay"}


class Stopped(Exception):
    pass


def stop_at_three(step, state):
    if step == 3:
        raise Stopped


def saved_state(workdir, config):
    shapes = with_sharding(build(config, 4).state_shapes(), replicated(make_mesh()))
    with Checkpoints(workdir, read_only=True) as checkpoints:
        return jax.tree.map(np.asarray, checkpoints.load(shapes))


@pytest.mark.slow
def test_it_is_resumed_evaluated_exported_and_named(tmp_path):
    changes = tiny_run.SETTINGS | {"data.data_dir": str(tiny_run.make_data(tmp_path))}
    changes |= {"ema.decay": 0.7, "train.steps": 5, "train.summary_people": 4, "sampler.P": 4}
    config = tiny.config(changes)
    train(config, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(config, tmp_path / "stopped", on_step=stop_at_three)
    train(config, tmp_path / "stopped")
    states = [saved_state(tmp_path / name, config) for name in ("whole", "stopped")]
    jax.tree.map(np.testing.assert_array_equal, *states)

    whole, trained = states[0], load_trained(tmp_path / "whole")
    jax.tree.map(np.testing.assert_array_equal, trained.variables, whole.average)
    kernel = lambda tree: tree["params"]["heads_G1"]["reduction"]["conv"]["kernel"]  # noqa: E731
    assert np.abs(kernel(whole.variables) - kernel(whole.average)).max() > 1e-4
    evaluate(tmp_path / "whole")
    for path in (tmp_path / "whole" / "evaluation").glob("*.json"):
        chosen_by = json.loads(path.read_text())["checkpoint"]["chosen_by"]
        assert chosen_by == "last, averaged weights"
    exported = read_exported_weights(export_run(tmp_path / "whole", "stablehlo"))
    expected = leaves_by_path(whole.average)
    assert all(np.array_equal(value, expected[name]) for name, value in exported.items())
    summary = read_summary(tmp_path / "whole")
    assert summary is not None and summary["weights"] == "averaged"
    assert "averaged" in summary_lines(summary)[1]
