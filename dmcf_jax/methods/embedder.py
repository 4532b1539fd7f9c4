"""Images to unit embeddings by the compiled network, on every device, in batches of one shape."""

from collections.abc import Callable
from itertools import chain, pairwise
from typing import cast

import jax
import numpy as np
from flax import linen as nn
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, UInt8

from dmcf_jax.data.prepare_input import IMAGENET, InputForm, prepare_input
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.unit_length import unit_length
from dmcf_jax.runtime import compiler_options
from dmcf_jax.runtime.devices import by_row, replicated, shard
from dmcf_jax.runtime.threads import map_in_threads


def embedding_function(
    model: nn.Module,
    modality: str,
    flip: bool = False,
    form: InputForm = IMAGENET,
    method: str = "embed",
) -> Callable[[dict, Array], Array]:
    """Return (variables, uint8 images [n h w 3]) -> unit embeddings [n d], to be jitted.

    Args:
        modality: 'visible' or 'infrared', of all images.
        flip, form, method: see `Embedder`.
    """

    def embed(variables: dict, images: UInt8[Array, "n h w 3"]) -> Float[Array, "n d"]:
        def one_view(view: Float[Array, "n h w 3"]) -> Float[Array, "n d"]:
            return cast(Array, model.apply(variables, view, modality, method=method))

        images = prepare_input(images, form)
        embeddings = one_view(images)
        if flip:
            embeddings = unit_length(embeddings + one_view(images[:, :, ::-1]))
        return embeddings

    return embed


class Embedder:
    """Embeds stored images; the modality of each image chooses its stream.

    One compilation for each modality: the last batch is padded with blank images, whose
    embeddings are thrown away.
    """

    def __init__(
        self,
        model: nn.Module,
        mesh: Mesh,
        batch_size: int,
        flip: bool = False,
        form: InputForm = IMAGENET,
        method: str = "embed",
    ):
        """Compile nothing yet.

        Args:
            mesh: devices; `batch_size` is rounded up to a multiple of their number.
            flip: add the embedding of the mirror image before normalising.
            form: of the network's input.
            method: of the network; 'describe' for what is embedded before a fitted metric.
        """
        self._everywhere = replicated(mesh)
        self._batch_size = -(-batch_size // mesh.size) * mesh.size
        self._rows = by_row(mesh)
        self._embed = [
            jax.jit(
                embedding_function(model, modality, flip, form, method),
                out_shardings=self._everywhere,
                compiler_options=compiler_options.forward_only(),
            )
            for modality in MODALITIES
        ]
        self._programs = {}

    def __call__(
        self,
        variables: dict,
        images: UInt8[np.ndarray, "n h w 3"],
        modality: Int[np.ndarray, " n"],
        progress: Callable[[int, int], None] | None = None,
    ) -> Float[np.ndarray, "n d"]:
        """Return float32 embeddings of unit length, rows in the order of `images`.

        Args:
            variables: {'params': ..., 'batch_stats': ...}.
            modality: 0 visible, 1 infrared.
            progress: called with (batches done, all batches).
        """
        variables = shard(variables, self._everywhere)
        batches = [
            (number, rows)
            for number in range(len(MODALITIES))
            for rows in _in_chunks(np.flatnonzero(modality == number), self._batch_size)
        ]
        shape = (self._batch_size, *images.shape[1:])
        programs = {
            number: self._program(number, variables, shape)
            for number in sorted({number for number, _ in batches})
        }

        def start(batch):
            number, rows = batch
            return programs[number](variables, self._place(images, rows, shape))

        embeddings = np.empty((0, 0), np.float32)
        computed = zip(batches, self._in_flight(start, batches), strict=True)
        for done, ((_, rows), found) in enumerate(computed, 1):
            if done == 1:
                embeddings = np.empty((len(images), found.shape[1]), np.float32)
            embeddings[rows] = found[: len(rows)]
            if progress:
                progress(done, len(batches))
        return embeddings

    def _program(self, number, variables, shape):
        """Return the compiled program of a modality, made here since two threads would make two."""
        key = (number, shape)
        if key not in self._programs:
            images = jax.ShapeDtypeStruct(shape, np.uint8, sharding=self._rows)
            self._programs[key] = self._embed[number].lower(variables, images).compile()
        return self._programs[key]

    def _in_flight(self, start, batches):
        """Yield what `start` makes of each batch, in order, with the next one on its way.

        One device gets its batches from two threads: while one batch is in a single-threaded
        part, the other keeps the cores busy. On several devices, programs with collectives must
        start in the same order everywhere.
        """
        if self._rows.mesh.size == 1:
            yield from map_in_threads(lambda batch: np.asarray(start(batch)), batches, threads=2)
            return
        for running, _ahead in pairwise(chain(map(start, batches), [None])):
            yield np.asarray(running)

    def _place(self, images, rows, shape):
        def share(index):  # only the devices of this host ask for theirs
            own = rows[index[0]]
            taken = np.zeros((len(range(shape[0])[index[0]]), *shape[1:]), np.uint8)
            taken[: len(own)] = images[own]
            return taken

        return jax.make_array_from_callback(shape, self._rows, share)


def _in_chunks(rows, size):
    return [rows[start : start + size] for start in range(0, len(rows), size)]
