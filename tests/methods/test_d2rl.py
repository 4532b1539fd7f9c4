"""D2RL: which loss moves which weights, unified images, when streams learn, and at which rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import export

from dmcf_jax.config.build import build, method_fields
from dmcf_jax.config.validate import flatten, validate
from dmcf_jax.configs import regdb, synthetic
from dmcf_jax.errors import UserError
from dmcf_jax.methods.d2rl import _frozen, joint_step, turns
from dmcf_jax.methods.method import Context
from dmcf_jax.methods.network.pretrained_streams import stream_weights
from dmcf_jax.methods.network.translators import RANGE, unify
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.runs.folder import may_be_longer

TINY = {
    "data.size": (32, 32),
    "model.stage_sizes": (1, 1, 1, 1),
    "model.levels": ("layer1",),
    "model.width": 2,
    "model.embedding_dim": 8,
    "translation.width": 2,
    "translation.blocks": 0,
    "translation.shrink": 4,
    "loss.triplet_start_step": 0,
    "train.steps": 10,
}


def tiny():
    config = regdb.get_config("d2rl")
    config.update_from_flattened_dict(TINY)
    return config


def test_a_unified_image_has_visible_channels_first_and_the_infrared_one_last():
    images = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 3)), jnp.float32)
    grey = jnp.full((2, 4, 4, 1), 0.5)
    unified = unify(images, grey, "visible")
    np.testing.assert_array_equal(unified[..., :3], images)
    np.testing.assert_allclose(unified[..., 3], 0.5 * RANGE, rtol=1e-6)
    colours = jnp.broadcast_to(jnp.array([0.1, 0.2, 0.3]), (2, 4, 4, 3))
    unified = unify(images, colours, "infrared")
    np.testing.assert_allclose(unified[0, 0, 0, :3], RANGE * np.array([0.1, 0.2, 0.3]), rtol=1e-6)
    np.testing.assert_allclose(unified[..., 3], np.mean(images, axis=-1), atol=1e-6)


def test_the_fourth_channel_of_pretrained_kernels_is_the_mean_of_three():
    kernel = np.random.default_rng(0).normal(size=(7, 7, 3, 2)).astype(np.float32)
    shapes = {"params": {"shared": {"conv1": {"kernel": np.zeros((7, 7, 4, 2))}}}}
    given = stream_weights(shapes, {"params": {"conv1": {"kernel": kernel}}})
    found = given["params"]["shared"]["conv1"]["kernel"]
    np.testing.assert_array_equal(found[:, :, :3], kernel)
    expected = (kernel[:, :, 0] + kernel[:, :, 1] + kernel[:, :, 2]) / 3
    np.testing.assert_allclose(found[:, :, 3], expected, rtol=1e-5, atol=1e-7)


def test_streams_learn_from_40_percent_on_and_translation_then_at_a_tenth():
    config = regdb.get_config("d2rl")
    config.loss.triplet_start_step = 0
    fields, built = method_fields(config), build(config, 3)
    assert joint_step(fields) == 2000
    for group in ("backbone", "heads"):
        assert [bool(turns(fields)[group](step)) for step in (0, 1999, 2000)] == [0, 0, 1]
    for group in ("translator", "discriminator"):
        rates = [float(built.schedules[group](step)) for step in (0, 1999, 2000)]
        assert rates == pytest.approx([1e-4, 1e-4, 1e-5])
    assert float(built.schedules["heads"](0)) == float(built.schedules["heads"](2000))
    assert (built.watched.softmax_from, built.watched.triplets_from) == (2000, 2000)
    longer = config.copy_and_resolve_references()
    longer.train.steps *= 2  # its 40 % are others
    assert not may_be_longer(flatten(config), flatten(longer))


@pytest.mark.parametrize("module", [regdb, synthetic], ids=["regdb", "synthetic"])
def test_the_input_of_its_network_is_no_choice(module):
    config = module.get_config("d2rl")
    config.model.input = "zero_padding"
    with pytest.raises(UserError) as refused:
        validate(config)
    assert refused.value.about == ("model.input",)


def test_a_frozen_module_passes_a_gradient_on_and_takes_none():
    class Judge(nn.Module):
        frozen: bool

        def setup(self):
            self.layer = nn.Dense(2)

        def __call__(self, x):
            first = self.layer(0 * x)  # makes the weights
            return first + (_frozen(self.layer, x) if self.frozen else self.layer(x))

    x, weights = jnp.ones((1, 3)), None
    slopes = {}
    for frozen in (False, True):
        judge = Judge(frozen)
        weights = weights or judge.init(jax.random.key(0), x)
        grad = jax.jit(jax.grad(lambda w, x, j=judge: jnp.sum(j.apply(w, x) ** 2), (0, 1)))
        slopes[frozen] = [tree for tree in grad(weights, x)]
    np.testing.assert_allclose(slopes[True][1], slopes[False][1], rtol=1e-6)
    assert np.abs(slopes[False][0]["params"]["layer"]["kernel"]).min() > 0
    np.testing.assert_array_equal(slopes[True][0]["params"]["layer"]["kernel"], 0)


# Which weights each loss moves, from the paper's structure.
TRANSLATORS = {"encoders_visible", "encoders_infrared", "generators_visible", "generators_infrared"}
JUDGES = {"discriminators_visible", "discriminators_infrared"}
STREAMS = {"shared", "heads_G1"}
MOVED = {
    "streams": STREAMS | TRANSLATORS,
    "reconstruction": TRANSLATORS,
    "cycle": TRANSLATORS,
    "latent": TRANSLATORS,
    "generator": TRANSLATORS,
    "discriminator": JUDGES,
}


def moved(slopes):
    """Return the parts of which any weight has a gradient."""
    parts = {name: tree for name, tree in slopes.items() if name != "translators"}
    parts |= slopes["translators"]
    return {n for n, tree in parts.items() if any(np.any(x != 0) for x in jax.tree.leaves(tree))}


@pytest.mark.slow
@pytest.mark.usefixtures("standard_promotion")
def test_each_loss_moves_its_own_weights_and_nothing_else():
    built = build(tiny(), 3)
    variables, draw = built.random_variables(0), np.random.default_rng(0)
    images = [jnp.asarray(draw.normal(size=(6, 32, 32, 3)), jnp.float32) for _ in range(2)]
    labels = jnp.repeat(jnp.arange(3), 4)
    loss = built.method.trained.loss(built.fields, built.model)

    def losses(params, step):
        outputs, _ = built.model.apply(
            variables | {"params": params},
            *images,
            True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(1)},
        )
        total, found = loss(outputs, labels, Context(step, params, jax.random.key(2)))
        streams = found["L1"] + found["triplet"]
        parts = [found[name] for name in MOVED if name != "streams"]
        return jnp.stack([total, streams, *parts])

    @jax.jit
    def run(params, step):
        values, pull = jax.vjp(lambda p: losses(p, step), params)
        return values, jax.vmap(pull)(jnp.eye(len(values)))[0]

    values, slopes = run(variables["params"], jnp.int32(4))
    total, streams, *parts = values
    assert float(total) == pytest.approx(float(streams + sum(parts)), rel=1e-5)
    for row, (name, expected) in enumerate(MOVED.items(), start=1):
        assert moved(jax.tree.map(lambda x, row=row: x[row], slopes)) == expected, name
    judges = {k: v for k, v in leaves_by_path(slopes).items() if k.startswith("discriminators")}
    assert all(np.any(value[6] != 0) for value in judges.values())  # every layer of every size
    # Alone: the losses of the streams are logged, but move nothing.
    values, slopes = run(variables["params"], jnp.int32(3))
    assert float(values[0]) == pytest.approx(float(sum(values[2:])), rel=1e-5) and values[1] > 0
    assert moved(jax.tree.map(lambda x: x[0], slopes)) == TRANSLATORS | JUDGES


def test_an_exported_network_takes_any_number_of_images():
    built = build(tiny(), 3)
    (count,) = export.symbolic_shape("b")
    images = jax.ShapeDtypeStruct((count, 32, 32, 3), jnp.float32)
    embed = jax.jit(lambda v, x: built.model.apply(v, x, "infrared", method="embed"))
    (found,) = export.export(embed)(built.variable_shapes(), images).out_avals
    assert found.shape == (count, 8)


@pytest.mark.slow
def test_training_translates_as_the_test_does_but_for_noise():
    model, variables = (built := build(tiny(), 3)).model, built.random_variables(0)
    draw = np.random.default_rng(0)
    pair = [jnp.asarray(draw.normal(size=(2, 32, 32, 3)), jnp.float32) for _ in range(2)]

    def outputs(*pair):
        both, made, _ = model.apply(variables, *pair, False)
        rows = [
            model.apply(variables, x, m, method="embed")
            for x, m in zip(pair, MODALITIES, strict=True)
        ]
        return both.embeddings["G1"], made.fake, rows

    embeddings, fake, rows = jax.jit(outputs)(*pair)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(unit[0::2], rows[0], atol=1e-5)
    np.testing.assert_allclose(unit[1::2], rows[1], atol=1e-5)
    assert {name: images.shape for name, images in fake.items()} == {
        "visible": (2, 8, 8, 3),
        "infrared": (2, 8, 8, 1),
    }
