"""The networks of dmcf_jax compared with PyTorch's numbers, stored or computed in this process.

Errors are relative to the largest value of each tensor.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from support import golden_network as network

from dmcf_jax.data.augment import Augmentation
from dmcf_jax.data.identity_sampler import PairBatch
from dmcf_jax.methods.dmcf import losses
from dmcf_jax.methods.dmcf.method import GROUPS, loss_of
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.methods.optimizer import make_optimizer
from dmcf_jax.methods.train_state import make_state
from dmcf_jax.methods.train_step import make_train_step
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.models.resnet import ResNet
from dmcf_jax.weights.torch_names import from_torch, to_torch, torch_shapes

CONV_IMPLS = ("xla", "matmul")
LOSS = losses.LossSettings(network.MARGIN)
FLOAT32 = jnp.dtype("float32")
SIZES = {"stage_sizes": network.STAGE_SIZES, "width": network.WIDTH, "dtype": FLOAT32}
SIZE = (network.HEIGHT, network.WIDTH_OF_IMAGE)


def relative_error(found, expected):
    return float(np.max(np.abs(found - expected)) / max(np.max(np.abs(expected)), 1e-12))


def worst(found, expected):
    """Return the largest relative error over tensors by name, and its name."""
    assert found.keys() == expected.keys()
    return max((relative_error(found[name], expected[name]), name) for name in expected)


def make_variables(shapes):
    named = torch_shapes(shapes)
    return from_torch({name: network.tensor(name, shape) for name, shape in named.items()})


def make_dmcf(conv_impl):
    model = TwoStreams(
        network.IDENTITIES, **SIZES, embedding_dim=network.EMBEDDING_DIM, conv_impl=conv_impl
    )
    return model, make_variables(variable_shapes(model, SIZE))


def batch(step):
    count = len(network.LABELS)
    pair = [
        jnp.asarray(network.images(f"{kind} {step}", count)) for kind in ("visible", "infrared")
    ]
    return PairBatch(*pair, jnp.array(network.LABELS, jnp.int32))


def check_activations(conv_impl, mode, expected):
    model = ResNet(**SIZES, conv_impl=conv_impl)
    images = jnp.asarray(network.normalise(network.images("visible 0", len(network.LABELS)))[:3])
    init = partial(model.init, train=False)
    variables = make_variables(jax.eval_shape(init, jax.random.key(0), images))
    apply = jax.jit(partial(model.apply, train=mode == "train", mutable=["batch_stats"]))
    outputs, _ = apply(variables, images)
    for part, found in outputs.items():
        theirs = expected[f"{mode}/{part}"].transpose(0, 2, 3, 1)
        assert relative_error(found, theirs) < 1e-4, part


def check_gradients(conv_impl, expected):
    model, variables = make_dmcf(conv_impl)
    terms = losses.loss_terms_of(model.features)
    visible, infrared, labels = batch(0)

    def evaluate(params, visible, infrared):
        tree = {"params": params, "batch_stats": variables["batch_stats"]}
        outputs, _ = model.apply(tree, visible, infrared, True, mutable=["batch_stats"])
        rows, mined = jnp.repeat(labels, 2), jnp.array(True)
        by_term = losses.loss_terms(outputs, rows, terms, LOSS, mined)
        by_level = jnp.stack(list(losses.sum_levels(by_term, terms).values()))
        return losses.weigh_levels(by_level, params["log_variance"]), by_term

    normalised = [jnp.asarray(network.normalise(np.asarray(x))) for x in (visible, infrared)]
    compiled = jax.jit(jax.grad(evaluate, has_aux=True))
    gradient, by_term = compiled(variables["params"], *normalised)
    for name, value in by_term.items():
        assert relative_error(value, expected.pop(f"loss/{name}")) < 1e-4, name
    error, name = worst(to_torch({"params": gradient}), expected)
    assert error < 1e-3, name


def check_five_steps(conv_impl, expected):
    found_losses, found = five_steps(conv_impl)
    for step, loss in enumerate(found_losses):
        assert relative_error(loss, expected.pop(f"loss/{step}")) < 1e-3, step
    counts = {name: expected.pop(name) for name in list(expected) if name.startswith("count/")}
    error, name = worst(as_pytorch_keeps_them(found, counts), expected)
    assert error < 1e-3, name


@cache
def five_steps(conv_impl):
    model, variables = make_dmcf(conv_impl)
    schedules = {group: optax.constant_schedule(rate) for group, rate in network.RATES.items()}
    start = network.WEIGHTING_STARTS_AT
    turns = {"log_variance": lambda step: step >= start}
    optimizer = make_optimizer(GROUPS, schedules, turns=turns)
    loss = loss_of(model, LOSS, triplet_start_step=0, weighting_start_step=start)
    step = make_train_step(
        model, loss, optimizer, schedules, Augmentation(), losses.in_papers_range
    )
    step_fn = jax.jit(step)
    state, found = make_state(jax.tree.map(jnp.asarray, variables), optimizer), []
    for step in range(network.STEPS):
        # Optax raises a Python float to an int32 power, which the strict rules forbid.
        with jax.numpy_dtype_promotion("standard"):
            state, metrics = step_fn(state, batch(step), jax.random.key(0))
        found.append(metrics["loss"])
    return found, to_torch({"params": state.params, "batch_stats": state.batch_stats})


def as_pytorch_keeps_them(tensors, counts):
    """Turn dmcf_jax's running variances into PyTorch's.

    Of n values PyTorch keeps the unbiased variance, dmcf_jax the biased one, (n - 1) / n of it.
    With momentum 0.9 the start counts 0.9 ** steps in both; all that was added differs.
    """
    kept = 0.9**network.STEPS
    tensors = dict(tensors)
    for name, value in tensors.items():
        if name.endswith(".running_var"):
            n = int(counts[f"count/{name.removesuffix('.running_var')}"])
            start = kept * network.tensor(name, value.shape)
            tensors[name] = start + (value - start) * n / (n - 1)
    return tensors
