"""What the rows of identity networks are about: one stream, and zero padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dmcf_jax.methods.network.pretrained_streams import stream_weights
from dmcf_jax.methods.network.two_streams import TwoStreams
from dmcf_jax.models.initial import draw_normals, variable_shapes, variables_from_normals
from dmcf_jax.models.resnet import ResNet

SMALL = {
    "stage_sizes": (1, 1, 1, 1),
    "width": 2,
    "levels": ("layer1",),
    "stripes": (1,),
    "embedding_dim": 4,
    "shared_from": "stem",
    "weighted": False,
    "pool": "average",
    "head": "linear_bn",
}
SIZE = (32, 16)


def made(**changes):
    model = TwoStreams(3, **SMALL | changes)
    shapes = variable_shapes(model, SIZE)
    return model, variables_from_normals(shapes, draw_normals(shapes, jax.random.key(0)))


def images():
    grey = np.random.default_rng(0).normal(size=(2, *SIZE, 1)).astype(np.float32)
    return jnp.asarray(np.repeat(grey, 3, axis=-1))


def embed(model, variables, modality):
    return model.apply(variables, images(), modality, method="embed")


def test_one_stream_embeds_equal_pixels_equally():
    model, variables = made()
    visible, infrared = (embed(model, variables, name) for name in ("visible", "infrared"))
    np.testing.assert_array_equal(visible, infrared)


def test_zero_padding_swapped_in_kernel_and_input_is_the_same():
    model, variables = made(input="zero_padding")
    kernel = variables["params"]["shared"]["conv1"]["kernel"]
    assert kernel.shape[2] == 2
    visible, infrared = (embed(model, variables, name) for name in ("visible", "infrared"))
    assert np.abs(np.asarray(visible) - np.asarray(infrared)).max() > 1e-3
    variables["params"]["shared"]["conv1"]["kernel"] = kernel[:, :, ::-1]
    np.testing.assert_allclose(embed(model, variables, "visible"), infrared, atol=1e-6)


@pytest.mark.slow
def test_pretrained_kernels_of_three_channels_see_a_grey_image_alike_in_one():
    resnet = ResNet((1, 1, 1, 1), 2)
    blank = jnp.zeros((1, *SIZE, 3))
    weights = resnet.init(jax.random.key(1), blank, False)
    found = []
    for kind in ("three", "zero_padding"):
        model, variables = made(input=kind)
        given = stream_weights(variables, weights)
        merged = {
            name: variables[name] | {"shared": given[name]["shared"]}
            for name in ("params", "batch_stats")
        }
        found.append(embed(model, merged, "visible"))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
