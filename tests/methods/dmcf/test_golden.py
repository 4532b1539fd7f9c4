"""ResNet, losses, gradients and five Adam steps against PyTorch's numbers, PyTorch not needed.

The golden tensors are made by scripts/make_golden.py. Errors are relative to the largest value of
each tensor.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support import golden_network as network
from support.golden_checks import (
    CONV_IMPLS,
    as_pytorch_keeps_them,
    check_activations,
    check_five_steps,
    check_gradients,
    five_steps,
    relative_error,
)


@cache
def golden(name):
    with np.load(Path(__file__).parents[2] / "golden" / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize(
    ("conv_impl", "mode"),
    [
        *(("xla", "eval"), ("matmul", "train")),
        pytest.param("xla", "train", marks=pytest.mark.slow),
        pytest.param("matmul", "eval", marks=pytest.mark.slow),
    ],
)
def test_activations_of_every_part_equal_pytorchs(conv_impl, mode):
    check_activations(conv_impl, mode, golden("activations"))


@pytest.mark.slow
@pytest.mark.parametrize("conv_impl", CONV_IMPLS)
def test_losses_and_gradients_equal_pytorchs(conv_impl):
    check_gradients(conv_impl, dict(golden("gradients")))


@pytest.mark.slow
@pytest.mark.parametrize("conv_impl", CONV_IMPLS)
def test_five_adam_steps_equal_pytorchs(conv_impl):
    check_five_steps(conv_impl, dict(golden("five_steps")))


@pytest.mark.slow
def test_variances_differ_as_explained_and_not_otherwise():
    expected = golden("five_steps")
    name = "heads.G1.reduction.bn.running_var"
    _, found = five_steps("matmul")
    plain = relative_error(found[name], expected[name])
    counts = {key: value for key, value in expected.items() if key.startswith("count/")}
    corrected = relative_error(as_pytorch_keeps_them(found, counts)[name], expected[name])
    assert counts["count/heads.G1.reduction.bn"] == 2 * len(network.LABELS)
    assert plain > 0.01
    assert corrected < 1e-3
