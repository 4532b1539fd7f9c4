"""Classifiers that start at the mean of what the network sees of each class."""

import jax.numpy as jnp
import numpy as np

from dmcf_jax.data.identity_sampler import identity_table
from dmcf_jax.training.classifier_start import (
    IMAGES_EACH,
    class_means,
    first_rows,
    split_by_feature,
    with_kernels,
)


def heads(**sizes):
    return {
        f"heads_{name}": {"classifier": {"kernel": jnp.zeros((size, 3)), "bias": jnp.ones(3)}}
        for name, size in sizes.items()
    }


def test_rows_are_of_the_class_and_equally_many_of_each_modality():
    identity = np.repeat([7, 8, 9], 12)
    modality = np.tile(np.repeat([0, 1], 6), 3)
    rows = first_rows(identity_table(identity, modality, 2))
    assert rows.shape == (3, 2 * IMAGES_EACH)
    for number, person in enumerate((7, 8, 9)):
        assert set(identity[rows[number]]) == {person}
        assert modality[rows[number]].sum() == IMAGES_EACH


def test_means_are_split_by_feature_and_have_unit_columns():
    embeddings = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    means = class_means(embeddings, np.arange(6).reshape(3, 2))
    np.testing.assert_allclose(means[1], (embeddings[2] + embeddings[3]) / 2, rtol=1e-6)
    kernels = split_by_feature(means, heads(G1=2, R1=3), ["heads_G1", "heads_R1"])
    assert {name: kernel.shape for name, kernel in kernels.items()} == {
        "heads_G1": (2, 3),
        "heads_R1": (3, 3),
    }
    for kernel in kernels.values():
        np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1.0, rtol=1e-5)


def test_only_kernels_change():
    before = heads(G1=2)
    after = with_kernels(before, {"heads_G1": np.full((2, 3), 0.5)})
    np.testing.assert_array_equal(after["heads_G1"]["classifier"]["kernel"], 0.5)
    np.testing.assert_array_equal(after["heads_G1"]["classifier"]["bias"], 1.0)
    np.testing.assert_array_equal(before["heads_G1"]["classifier"]["kernel"], 0.0)
