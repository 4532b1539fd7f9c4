"""Embedding of test images, timed: decoded images on the host in, unit vectors on the host out."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from benchmarks import measure
from dmcf_jax.config.build import build_model
from dmcf_jax.config.validate import validate
from dmcf_jax.methods.embedder import Embedder
from dmcf_jax.models.initial import draw_normals, variable_shapes, variables_from_normals
from dmcf_jax.runtime import devices as mesh
from dmcf_jax.runtime.random_keys import named_key

IDENTITIES = 2  # the classifiers are not used
BATCHES = 4  # of each modality in one timed call


def benchmark_embed(config: ConfigDict, repeats: int = 7, peak: float | None = None) -> dict:
    """Return the median seconds for embedding some batches of both modalities.

    Args:
        peak: see `measure.report`.
    """
    validate(config)
    embed_all, images = make_embed(config)
    size = tuple(config.data.size)
    return measure.report(
        "embed",
        measure.seconds_of(embed_all, repeats),
        images=images,
        dtype=config.dtype,
        flops=images * _image_flops(config),
        peak=peak,
        size=list(size),
        batch_size=config.evaluation.batch_size,
    )


def make_embed(config: ConfigDict) -> tuple[Callable[[], np.ndarray], int]:
    """Return a function that embeds random images with random weights, and how many it embeds."""
    model = build_model(config, IDENTITIES)
    size, batch = tuple(config.data.size), config.evaluation.batch_size
    shapes = variable_shapes(model, size)
    variables = jax.jit(lambda normals: variables_from_normals(shapes, normals))(
        draw_normals(shapes, named_key(config.seed, "init"))
    )
    count = 2 * BATCHES * batch
    images = np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)
    modality = np.repeat(np.arange(2, dtype=np.int32), BATCHES * batch)
    embedder = Embedder(model, mesh.make_mesh(), batch, config.evaluation.flip)
    return lambda: embedder(variables, images, modality), count


def _image_flops(config):
    model = build_model(config, IDENTITIES, conv_impl="xla")
    size = tuple(config.data.size)
    image = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)

    def embed(variables, image):
        return model.apply(variables, image, "visible", method="embed")

    return measure.forward_flops(embed, variable_shapes(model, size), image)
