"""Eight devices against one: the same losses, gradients, statistics and metrics."""

import jax
import numpy as np
import optax
import pytest

from benchmarks.network import collectives
from dmcf_jax.data.augment import Augmentation
from dmcf_jax.data.feed import DeviceLoader
from dmcf_jax.data.identity_sampler import identity_table
from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.ranking.ranking import rank_distances, rank_queries, summarise
from dmcf_jax.methods.dmcf.losses import LossSettings
from dmcf_jax.methods.dmcf.method import GROUPS, loss_of
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.methods.optimizer import parameter_groups
from dmcf_jax.methods.train_state import make_state
from dmcf_jax.methods.train_step import make_train_step
from dmcf_jax.models.initial import draw_normals, variable_shapes, variables_from_normals
from dmcf_jax.runtime import devices as mesh
from dmcf_jax.runtime.random_keys import training_keys

pytestmark = pytest.mark.usefixtures("standard_promotion")
SIZE = (32, 16)
P, K, IDENTITIES, EMBEDDING = 8, 2, 20, 8
# What the paper's network has, but once: a private stage, a shared one, global and stripes.
MODEL = TwoStreams(
    IDENTITIES,
    stage_sizes=(1, 1, 1, 1),
    width=4,
    shared_from="layer1",
    levels=("layer1",),
    stripes=(2,),
    embedding_dim=EMBEDDING,
)
LOSS = loss_of(MODEL, LossSettings(1.8), triplet_start_step=0, weighting_start_step=1)
AUGMENTATION = Augmentation(pad=2, flip=0.5)
STEPS = 3


def gradient_descent():
    """Return plain descent that keeps the last gradients in its state, to be looked at."""
    keep = optax.GradientTransformation(lambda params: params, lambda grads, *_: (grads, grads))
    return optax.chain(keep, optax.sgd(0.01))


def made_up_images():
    identity = np.repeat(np.arange(IDENTITIES, dtype=np.int32), 2 * K)
    modality = np.tile(np.arange(2, dtype=np.int32), IDENTITIES * K)
    images = np.random.default_rng(0).integers(0, 256, (len(identity), *SIZE, 3), np.uint8)
    return images, identity, modality


def variables():
    shapes = variable_shapes(MODEL, SIZE)
    return variables_from_normals(shapes, draw_normals(shapes, jax.random.key(0)))


def train_on(number):
    """Take three steps on `number` devices; return the state, the losses, the program's text."""
    devices = mesh.make_mesh(jax.devices()[:number])
    everywhere = mesh.replicated(devices)
    images, identity, modality = made_up_images()
    feed = DeviceLoader(images, identity_table(identity, modality, P), P, K, devices)
    optimizer = gradient_descent()
    state = mesh.shard(make_state(variables(), optimizer), everywhere)
    inputs = next(feed.batches(0)), mesh.shard(training_keys(0), everywhere)
    step = feed.wrap_step(make_train_step(MODEL, LOSS, optimizer, {}, AUGMENTATION))
    compiled = jax.jit(step, out_shardings=everywhere).lower(state, *inputs).compile()
    losses = []
    for _ in range(STEPS):
        state, metrics = compiled(state, *inputs)
        losses.append(jax.device_get(metrics))
    return jax.device_get(state), losses, compiled.as_text()


@pytest.fixture(scope="module")
def one():
    with jax.numpy_dtype_promotion("standard"):
        return train_on(1)


@pytest.fixture(scope="module")
def eight():
    with jax.numpy_dtype_promotion("standard"):
        return train_on(8)


def relative_differences(a, b):
    """Return for each leaf the largest difference over the leaf's largest value, worst last."""
    pairs = zip(jax.tree.leaves_with_path(a), jax.tree.leaves(b), strict=True)
    return sorted(
        (np.max(np.abs(x - y)) / max(np.max(np.abs(x)), 1e-30), jax.tree_util.keystr(path))
        for (path, x), y in pairs
    )


@pytest.mark.slow
def test_every_loss_of_every_step_agrees(one, eight):
    assert relative_differences(one[1], eight[1])[-1] < (1e-5,)


@pytest.mark.slow
def test_batch_statistics_agree(one, eight):
    assert relative_differences(one[0].batch_stats, eight[0].batch_stats)[-1] < (1e-5,)


@pytest.mark.slow
def test_every_gradient_agrees(one, eight):
    """To 1e-5 of the largest in its group of parameters, and most to 1e-5 of their own largest.

    Some gradients are what is left of sums that cancel: that of the bias before the heads' batch
    norm is zero but for rounding. Their own size does not measure what float32 can resolve.
    """
    gradients = [run[0].opt_state[0] for run in (one, eight)]
    groups = jax.tree.leaves(parameter_groups(gradients[0], GROUPS))
    sizes = [np.max(np.abs(leaf)) for leaf in jax.tree.leaves(gradients[0])]
    apart = [np.max(np.abs(a - b)) for a, b in zip(*map(jax.tree.leaves, gradients), strict=True)]
    largest = {
        group: max(s for s, g in zip(sizes, groups, strict=True) if g == group)
        for group in set(groups)
    }
    assert min(largest.values()) > 0.1
    assert max(d / largest[group] for d, group in zip(apart, groups, strict=True)) < 1e-5
    own = [
        d / size
        for d, size, group in zip(apart, sizes, groups, strict=True)
        if size > 0.01 * largest[group]
    ]
    assert len(own) >= len(sizes) - 2 and max(own) < 5e-5 and np.median(own) < 1e-5


@pytest.mark.slow
def test_nothing_but_sums_and_mined_embeddings_crosses_the_network(eight):
    found = collectives(eight[2])
    assert {c.kind for c in found} <= {"all-reduce", "all-gather"}
    rows = 2 * P * K
    for collective in found:
        if collective.kind == "all-gather":
            # Mining looks at all pairs of rows: embeddings [n d] and labels [n] of the losses.
            assert "losses" in collective.scope, collective
            assert collective.shapes in ([(EMBEDDING, rows)], [(rows, EMBEDDING)], [(rows,)])
    largest = max(np.prod(shape, dtype=int) for c in found for shape in c.shapes)
    assert largest < np.prod(SIZE) * 3 * rows / 8  # less than a device's share of the images


@pytest.mark.slow
def test_the_step_has_one_program_for_each_device_with_its_rows_only(eight):
    """The images of a batch are in the program as one device's share: 2 of 16 pairs."""
    share, batch = (f"u8[{n},{SIZE[0]},{SIZE[1]},3]" for n in (P * K // 8, P * K))
    assert share in eight[2] and batch not in eight[2]


@pytest.mark.slow
def test_embeddings_and_metrics_agree():
    images, identity, modality = made_up_images()
    embeddings = [
        Embedder(MODEL, mesh.make_mesh(jax.devices()[:n]), 10)(variables(), images, modality)
        for n in (1, 8)
    ]
    np.testing.assert_allclose(*embeddings, atol=1e-5)
    sides = modality == 0, modality == 1
    scores = [
        summarise(rank_queries(*(e[s] for s in sides), *(identity[s] for s in sides)))
        for e in embeddings
    ]
    np.testing.assert_array_equal(scores[0].cmc, scores[1].cmc)
    assert (scores[0].mAP, scores[0].mINP) == (scores[1].mAP, scores[1].mINP)


@pytest.mark.parametrize("cmc", ["image", "identity"])
def test_ranking_on_eight_devices_gives_the_same_numbers(cmc):
    """Rounded values make ties, and queries do not divide over devices or blocks."""
    random = np.random.default_rng(1)
    query, gallery = (random.normal(size=(n, 6)).round(1) for n in (83, 150))
    ids, cameras = ([random.integers(0, n, m) for m in (83, 150)] for n in (12, 4))
    for rank, given in ((rank_queries, (query, gallery)), (rank_distances, (query @ gallery.T,))):
        one, eight = (
            rank(
                *given,
                *ids,
                *cameras,
                ignore="same-identity-same-camera",
                cmc=cmc,
                block=(40, 64),
                devices=mesh.make_mesh(jax.devices()[:n]),
            )
            for n in (1, 8)
        )
        for name in ("first_rank", "average_precision", "inverse_negative_penalty", "valid"):
            np.testing.assert_array_equal(getattr(one, name), getattr(eight, name))


def test_a_batch_that_does_not_divide_is_refused_with_the_nearest_that_do():
    mesh.check_divides(16, 8, 4)
    with pytest.raises(UserError, match=r"8 x 3 = 24 pairs .* 16 devices. .*sampler.P to 16, or"):
        mesh.check_divides(16, 8, 3)
    with pytest.raises(UserError, match="sampler.P to 8 or 12"):
        mesh.check_divides(8, 9, 2)


def test_a_coordinator_without_a_port_is_refused():
    with pytest.raises(UserError, match="coordinator=here: expected host:port of process 0"):
        mesh.start_hosts(coordinator="here")
