"""The network: exact parameter counts, the paper's layout, sharing, and embedding by one stream."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiers import slow

from dmcf_jax.configs import default
from dmcf_jax.methods.network.interleave import interleave
from dmcf_jax.methods.network.pool import pool
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.models.initial import draw_normals, variable_shapes, variables_from_normals
from dmcf_jax.models.resnet import ResNet
from dmcf_jax.models.tree_paths import count

NAMED = ("dcf", "feature_2_4", *default.COMPARED)
OTHERS = [name for name in default.VARIANTS if name not in NAMED]
SMALL = dict(identities=5, stage_sizes=(1, 1, 1, 1), width=4, embedding_dim=8)
SIZE = (96, 48)
RESNET_50 = 23_508_032  # torchvision's, without the classifier
STAGES_OF_RESNET_50 = {
    "stem": 9_536,
    "layer1": 215_808,
    "layer2": 1_219_584,
    "layer3": 7_098_368,
    "layer4": 14_964_736,
}
CHANNELS = {"layer1": 256, "layer2": 512, "layer3": 1024, "layer4": 2048}


def small_variables(**changes):
    model = TwoStreams(**SMALL | changes)
    shapes = variable_shapes(model, SIZE)
    return model, variables_from_normals(shapes, draw_normals(shapes, jax.random.key(0)))


def random_images(seed, rows):
    return jax.random.normal(jax.random.key(seed), (rows, *SIZE, 3))


def head(channels, identities, reduced=True):
    """A head by hand: 1x1 convolution, batch norm's scale and bias, classifier with bias."""
    width = 256 if reduced else channels
    return (channels * 256 + 2 * 256 if reduced else 0) + width * identities + identities


def test_resnet_50_has_torchvisions_parameters_stage_by_stage():
    blank = jax.ShapeDtypeStruct((2, 288, 144, 3), jnp.float32)
    shapes = jax.eval_shape(lambda x: ResNet().init(jax.random.key(0), x, train=False), blank)
    assert count(shapes["params"]) == sum(STAGES_OF_RESNET_50.values()) == RESNET_50
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        blocks = {k: v for k, v in shapes["params"].items() if k.startswith(stage)}
        assert count(blocks) == STAGES_OF_RESNET_50[stage]


@pytest.mark.parametrize("variant", ["", "dcf", "feature_2_4", *slow(OTHERS)])
def test_every_variant_has_exactly_its_parameters(variant):
    config = default.get_config(variant)
    levels, stripes = config.model.levels, config.model.stripes
    starts = ("pretrained", "block_start", "classifier_start")
    fields = {k: v for k, v in config.model.items() if k not in starts}
    shapes = variable_shapes(TwoStreams(identities=206, **fields), config.data.size)["params"]
    stages = list(STAGES_OF_RESNET_50)
    stream = sum(STAGES_OF_RESNET_50[s] for s in stages[: stages.index(levels[-1]) + 1])
    heads = sum(
        head(CHANNELS[level], 206) * (1 + (number if number > 1 else 0))
        for level, number in zip(levels, stripes, strict=True)
    )
    assert count(shapes) == 2 * stream + heads + len(levels)


@pytest.mark.parametrize("shared", ["layer3", *slow(["stem", "layer1", "layer2", "layer4"])])
def test_shared_stages_are_there_once(shared):
    shapes = variable_shapes(TwoStreams(206, shared_from=shared), (288, 144))["params"]
    stages = list(STAGES_OF_RESNET_50)
    private = sum(STAGES_OF_RESNET_50[s] for s in stages[: stages.index(shared)])
    streams = count({k: v for k, v in shapes.items() if k in ("visible", "infrared", "shared")})
    assert streams == RESNET_50 + private


def test_unreduced_globals_are_judged_on_the_pooled_values():
    shapes = variable_shapes(TwoStreams(206, reduce_global=False), (288, 144))["params"]
    for name, channels in (("G1", 512), ("G2", 1024), ("G3", 2048)):
        assert count(shapes[f"heads_{name}"]) == head(channels, 206, reduced=False)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [None, "layer3", "stem"])
def test_a_batch_is_judged_as_each_modality_alone(shared):
    """In evaluation mode rows do not see each other: fused rows equal the streams' own."""
    model, variables = small_variables(shared_from=shared)
    visible, infrared = random_images(1, 3), random_images(2, 3)
    outputs = jax.jit(lambda v, i: model.apply(variables, v, i, False))(visible, infrared)
    whole = jnp.concatenate([outputs.embeddings[f.name] for f in model.features], axis=1)
    for offset, name, images in ((0, "visible", visible), (1, "infrared", infrared)):
        embed = jax.jit(lambda x, name=name: model.apply(variables, x, name, method="embed"))
        alone = embed(images)
        expected = np.asarray(whole[offset::2])
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(alone, expected, atol=1e-5)
    assert {k: v.shape for k, v in outputs.logits.items()} == {
        name: (6, 5) for name in ("G1", "G2", "R1", "R2", "G3", "R3", "R4", "R5")
    }


@pytest.mark.slow
def test_the_papers_embedding_has_2048_values_of_unit_length():
    model, variables = small_variables(embedding_dim=256)
    embed = jax.jit(lambda x: model.apply(variables, x, "infrared", method="embed"))
    embeddings = np.asarray(embed(random_images(0, 2)))
    assert embeddings.shape == (2, 2048) and embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-6)


@pytest.mark.slow
def test_separate_streams_see_only_their_modality():
    model, variables = small_variables()

    @jax.jit
    def visible_rows(infrared_scale):
        infrared = infrared_scale * random_images(2, 2)
        outputs = model.apply(variables, random_images(1, 2), infrared, False)
        return outputs.embeddings["G3"][0::2]

    np.testing.assert_array_equal(visible_rows(1.0), visible_rows(3.0))


def test_fusing_keeps_pairs_together():
    fused = interleave(jnp.array([[1.0], [2.0]]), jnp.array([[10.0], [20.0]]))
    assert fused[:, 0].tolist() == [1, 10, 2, 20]


def test_pooling_is_the_maximum_of_the_map_and_of_its_stripes():
    maps = np.random.default_rng(0).normal(size=(2, 6, 3, 4)).astype(np.float32)
    features = TwoStreams(**SMALL).features
    g3, r3, r5 = features[4], features[5], features[7]
    assert (g3.name, r3.name, r5.name) == ("G3", "R3", "R5")
    for feature, rows in ((g3, slice(0, 6)), (r3, slice(0, 2)), (r5, slice(4, 6))):
        pooled = pool(jnp.asarray(maps), feature)
        for n in range(2):
            for c in range(4):
                assert pooled[n, c] == max(maps[n, rows, :, c].ravel())


def test_feature_maps_have_the_papers_sizes():
    blank = jax.ShapeDtypeStruct((1, 288, 144, 3), jnp.float32)
    model = TwoStreams(5)
    maps = jax.eval_shape(
        lambda x: model.init_with_output(
            jax.random.key(0), x, "visible", False, method="feature_maps"
        )[0],
        blank,
    )
    assert [maps[s].shape[1:] for s in ("layer2", "layer3", "layer4")] == [
        (36, 18, 512),
        (18, 9, 1024),
        (9, 5, 2048),
    ]


@pytest.mark.slow
def test_remat_changes_memory_not_values():
    images = random_images(1, 2), random_images(2, 2)
    little = dict(shared_from="stem", levels=("layer1",), stripes=(1,))
    plain, variables = small_variables(**little)
    again = TwoStreams(**SMALL, **little, remat=True)

    def loss(model, params):
        state = {"params": params, "batch_stats": variables["batch_stats"]}
        outputs, _ = model.apply(state, *images, True, mutable=["batch_stats"])
        return sum(jnp.sum(value**2) for value in outputs.embeddings.values())

    one, other = (
        jax.jit(jax.grad(lambda p, m=m: loss(m, p)))(variables["params"]) for m in (plain, again)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), one, other)


@pytest.mark.slow
def test_one_draw_gives_the_distributions_that_init_gives():
    little = dict(shared_from="stem", levels=("layer1", "layer2"), stripes=(1, 2))
    model = TwoStreams(30, stage_sizes=(1, 1, 1, 1), width=8, embedding_dim=32, **little)
    blank = jnp.zeros((1, *SIZE, 3))
    expected = jax.jit(lambda k: model.init(k, blank, blank, True))(jax.random.key(0))
    shapes = variable_shapes(model, SIZE)
    drawn = variables_from_normals(shapes, draw_normals(shapes, jax.random.key(1)))
    for (path, one), other in zip(
        jax.tree_util.tree_leaves_with_path(expected), jax.tree.leaves(drawn), strict=True
    ):
        assert one.shape == other.shape and one.dtype == other.dtype, path
        if np.std(one) == 0:
            np.testing.assert_array_equal(one, other)
        else:  # the standard error of a standard deviation is std / sqrt(2 n); take five
            allowed = 5 * np.std(one) / np.sqrt(one.size)
            assert abs(np.std(one) - np.std(other)) < allowed, path
            assert abs(np.mean(other)) < allowed, path


@pytest.mark.slow
def test_without_the_relu_an_embedding_is_the_batch_norms_output():
    _, variables = small_variables()
    images = random_images(0, 3)
    plain, bare = (
        TwoStreams(**SMALL, neck=neck).apply(
            variables, images, images, True, mutable=["batch_stats"]
        )[0]
        for neck in ("relu", "batch_norm")
    )
    for name, values in bare.embeddings.items():
        assert float(values.min()) < 0
        np.testing.assert_allclose(jax.nn.relu(values), plain.embeddings[name], atol=1e-5)


@pytest.mark.slow
def test_cosine_logits_keep_the_parameters_and_ignore_lengths_and_bias():
    plain, variables = small_variables()
    model = TwoStreams(**SMALL, softmax_scale=20.0)
    shapes = variable_shapes(model, SIZE)
    assert jax.tree.map(jnp.shape, variables) == jax.tree.map(jnp.shape, shapes)
    images = random_images(0, 3)
    variables["params"]["heads_G1"]["classifier"]["bias"] += 100.0
    outputs = [
        each.apply(variables, images, images, True, mutable=["batch_stats"])[0]
        for each in (plain, model)
    ]
    embedding = np.asarray(outputs[1].embeddings["G1"], float)
    np.testing.assert_allclose(embedding, outputs[0].embeddings["G1"], atol=1e-5)
    kernel = np.asarray(variables["params"]["heads_G1"]["classifier"]["kernel"], float)
    lengths = np.linalg.norm(embedding, axis=1)[:, None] * np.linalg.norm(kernel, axis=0)
    expected = 20 * embedding @ kernel / lengths
    np.testing.assert_allclose(outputs[1].logits["G1"], expected, atol=1e-3)
