"""Images to unit embeddings by the compiled network, on every device, in batches of one shape."""

from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int, UInt8

from dmcf_jax import compiler_options
from dmcf_jax.data.augment import normalise
from dmcf_jax.data.modality import NAMES
from dmcf_jax.mesh import by_row, put, replicated
from dmcf_jax.models.dmcf import DMCF, unit_length


class Embedder:
    """Embeds stored images; the modality of each image chooses its stream.

    One compilation for each modality: the last batch is padded with blank images, whose
    embeddings are thrown away.
    """

    def __init__(self, model: DMCF, mesh: Mesh, batch_size: int, flip: bool = False):
        """Compile nothing yet.

        Args:
            mesh: devices; `batch_size` is rounded up to a multiple of their number.
            flip: add the embedding of the mirror image before normalising.
        """
        self._everywhere = replicated(mesh)
        self._batch_size = -(-batch_size // mesh.size) * mesh.size
        self._rows = by_row(mesh)
        self._embed = {name: self._compiled(model, name, flip, mesh) for name in NAMES}

    @staticmethod
    def _compiled(model, modality, flip, mesh):
        def embed(variables, images):
            def one_view(view):
                return model.apply(variables, view, modality, method="embed")

            images = normalise(images)
            embeddings = one_view(images)
            if flip:
                embeddings = unit_length(embeddings + one_view(images[:, :, ::-1]))
            return embeddings

        return jax.jit(
            embed, out_shardings=replicated(mesh), compiler_options=compiler_options.forward_only()
        )

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
        variables = put(variables, self._everywhere)
        batches = [
            (number, rows)
            for number in range(len(NAMES))
            for rows in _in_chunks(np.flatnonzero(modality == number), self._batch_size)
        ]
        embeddings, ahead = None, None
        for done, (number, rows) in enumerate([*batches, (None, None)]):
            # The next batch is on its way before the last one is fetched.
            running = self._start(variables, images, number, rows) if rows is not None else None
            if ahead is not None:
                fetched, of_rows = np.asarray(ahead[0]), ahead[1]
                if embeddings is None:
                    embeddings = np.empty((len(images), fetched.shape[1]), np.float32)
                embeddings[of_rows] = fetched[: len(of_rows)]
                if progress:
                    progress(done, len(batches))
            ahead = (running, rows)
        return np.empty((0, 0), np.float32) if embeddings is None else embeddings

    def _start(self, variables, images, number, rows):
        def share(index):  # only the devices of this host ask for theirs
            size = len(range(self._batch_size)[index[0]])
            own = rows[index[0]]
            taken = np.zeros((size, *images.shape[1:]), np.uint8)
            taken[: len(own)] = images[own]
            return taken

        shape = (self._batch_size, *images.shape[1:])
        placed = jax.make_array_from_callback(shape, self._rows, share)
        return self._embed[NAMES[number]](variables, placed)


def _in_chunks(rows, size):
    return [rows[start : start + size] for start in range(0, len(rows), size)]
