"""Encoder, generator and discriminator against PyTorch's numbers; their sizes and borders.

The golden tensors are made by scripts/make_golden.py, PyTorch is not needed.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import golden_network as network
from support.golden_checks import relative_error

from dmcf_jax.models.initial import draw_normals, variables_from_normals
from dmcf_jax.models.translation import Discriminator, Encoder, Generator, SampleNorm, mirrored
from dmcf_jax.models.tree_paths import count, leaves_by_path, tree_of

GOLDEN = Path(__file__).parents[1] / "golden" / "translation.npz"
WIDTH = network.TRANSLATION["width"]
PARTS = {
    "encoder": Encoder(WIDTH, 1),
    "generator": Generator(3, WIDTH, 1),
    "discriminator": Discriminator(WIDTH),
}


def shapes_of(module, *shape):
    return jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, *shape)))["params"]


def torch_name(part, path):
    layer, _, leaf = path.rpartition("/")
    return f"{part}.{layer.replace('/', '.')}.{'bias' if leaf == 'bias' else 'weight'}"


def weights_of(part, shapes):
    """Return the weights that PyTorch had, made of their names."""
    named = {}
    for path, leaf in leaves_by_path(shapes).items():
        kernel = len(leaf.shape) == 4
        shape = tuple(leaf.shape[i] for i in (3, 2, 0, 1)) if kernel else leaf.shape
        value = network.tensor(torch_name(part, path), shape)
        named[path] = value.transpose(2, 3, 1, 0) if kernel else value
    return tree_of(named)


def test_values_and_gradients_are_those_of_pytorch():
    expected = dict(np.load(GOLDEN))
    images = jnp.asarray(network.small_images())
    latent = (6, 4, 4 * WIDTH)
    entries = {"encoder": (24, 16, 3), "generator": latent, "discriminator": (24, 16, 3)}
    weights = {name: weights_of(name, shapes_of(PARTS[name], *entries[name])) for name in PARTS}

    def loss(weights):
        def run(name, x):
            return PARTS[name].apply({"params": weights[name]}, x)

        latents = run("encoder", images)
        made = run("generator", latents)
        scores = run("discriminator", made)
        value = jnp.mean(latents**2) + jnp.mean(jnp.abs(made - images))
        value += sum(jnp.mean((score - 1) ** 2) for score in scores)
        return value, (latents, made, scores)

    (value, (latents, made, scores)), slopes = jax.jit(jax.value_and_grad(loss, has_aux=True))(
        weights
    )
    assert float(value) == pytest.approx(float(expected.pop("loss")), rel=1e-4)
    found = {"latents": latents, "made": made}
    found |= {f"scores/{number}": score for number, score in enumerate(scores)}
    for name, maps in found.items():
        assert relative_error(maps, expected.pop(name).transpose(0, 2, 3, 1)) < 1e-4, name
    for part, tree in slopes.items():
        for path, slope in leaves_by_path(tree).items():
            name = torch_name(part, path)
            slope = slope.transpose(3, 2, 0, 1) if slope.ndim == 4 else slope
            wanted = expected.pop(f"gradient/{name}")
            # A bias before an instance norm has a gradient of rounding alone.
            error = np.abs(network.projections(name, slope) - wanted).max()
            assert error < 1e-3 * max(wanted[0], 0.1), name
    assert not expected


def convolution(size, channels, features):
    return size * size * channels * features + features


@pytest.mark.parametrize(("width", "blocks"), [(64, 4), (8, 1)])
def test_parameters_are_those_of_the_published_layers(width, blocks):
    w, residual = width, blocks * 2 * convolution(3, 4 * width, 4 * width)
    down = convolution(4, w, 2 * w) + convolution(4, 2 * w, 4 * w)
    encoder = convolution(7, 3, w) + down + residual
    assert count(shapes_of(Encoder(w, blocks), 96, 48, 3)) == encoder
    up = convolution(5, 4 * w, 2 * w) + convolution(5, 2 * w, w) + 2 * (2 * w + w)
    generator = residual + up + convolution(7, w, 1)
    assert count(shapes_of(Generator(1, w, blocks), 24, 12, 4 * w)) == generator
    widths = (3, w, 2 * w, 4 * w, 8 * w)
    layers = [convolution(4, *pair) for pair in zip(widths, widths[1:], strict=False)]
    whole = sum(layers) + convolution(1, 8 * w, 1)
    assert count(shapes_of(Discriminator(w), 144, 72, 3)) == 3 * whole


def test_a_discriminator_has_fewer_layers_where_no_pixel_is_left():
    for size, layers in (((144, 72), [4, 4, 4]), ((48, 24), [4, 3, 2]), ((8, 8), [3, 2, 1])):
        names = shapes_of(Discriminator(1), *size, 3)
        assert [
            sum(name.startswith(f"scale{s}_conv") for name in names) for s in range(3)
        ] == layers


def test_latent_maps_are_a_quarter_and_images_as_large_again():
    image = jax.ShapeDtypeStruct((2, 16, 12, 3), jnp.float32)
    encode, make = Encoder(1, 0), Generator(1, 1, 0)
    latents = jax.eval_shape(lambda x: encode.init_with_output(jax.random.key(0), x)[0], image)
    assert latents.shape == (2, 4, 3, 4)
    made = jax.eval_shape(lambda z: make.init_with_output(jax.random.key(0), z)[0], latents)
    assert made.shape == (2, 16, 12, 1) and made.dtype == jnp.float32


@pytest.mark.parametrize("pad", [0, 1, 3])
def test_borders_are_mirrored_as_numpy_mirrors(pad):
    maps = np.random.default_rng(0).normal(size=(1, 5, 4, 2)).astype(np.float32)
    widths = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    found = mirrored(mirrored(jnp.asarray(maps), pad, axis=1), pad, axis=2)
    np.testing.assert_array_equal(found, np.pad(maps, widths, mode="reflect"))


def test_a_flat_map_has_a_finite_gradient():
    norm, flat = SampleNorm(), jnp.full((1, 2, 2, 3), 0.5)
    weights = {"params": {"scale": jnp.ones(3), "bias": jnp.zeros(3)}}
    slope = jax.grad(lambda x: jnp.sum(norm.apply(weights, x) * jnp.arange(3.0)))(flat)
    assert np.isfinite(slope).all()


def test_kernels_of_translators_start_by_their_fan_in():
    """A fan-out of one channel would put all values of an image at the ends of the tanh."""
    kernel = {"last": {"kernel": jax.ShapeDtypeStruct((7, 7, 16, 1), jnp.float32)}}
    shapes = {"params": {"translators": {"generators_infrared": kernel}, "visible": kernel}}
    drawn = variables_from_normals(shapes, draw_normals(shapes, jax.random.key(0)))["params"]
    made = np.std(drawn["translators"]["generators_infrared"]["last"]["kernel"])
    assert made == pytest.approx(np.sqrt(2 / (49 * 16)), rel=0.1)
    assert np.std(drawn["visible"]["last"]["kernel"]) == pytest.approx(np.sqrt(2 / 49), rel=0.1)
