"""Pictures of requests that come at the same time are embedded in one batch."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from jaxtyping import Float, UInt8

from dmcf_jax.retrieval.model import BATCH

Embed = Callable[[np.ndarray, str], np.ndarray]


class Batcher:
    """Embeds in a thread of its own, as many waiting pictures of a modality at once as fit."""

    def __init__(self, embed: Embed):
        """Start the thread.

        Args:
            embed: (uint8 [n h w 3], modality) -> float32 [n d].
        """
        self._embed = embed
        self._waiting: queue.SimpleQueue = queue.SimpleQueue()
        self._left: list[tuple[np.ndarray, str, Future]] = []
        threading.Thread(target=self._run, daemon=True, name="embedding").start()

    def embed(self, pixels: UInt8[np.ndarray, "h w 3"], modality: str) -> Float[np.ndarray, " d"]:
        """Return the embedding of a picture; waits until it is there."""
        done: Future = Future()
        self._waiting.put((pixels, modality, done))
        return done.result()

    def _run(self):
        while True:
            batch = self._take()
            try:
                vectors = self._embed(np.stack([pixels for pixels, _, _ in batch]), batch[0][1])
            except Exception as error:  # reported to whoever waits; the thread must go on
                for *_, done in batch:
                    done.set_exception(error)
                continue
            for vector, (*_, done) in zip(vectors, batch, strict=True):
                done.set_result(vector)

    def _take(self):
        """Return waiting pictures of one modality, at least one."""
        waiting = self._left or [self._waiting.get()]
        while not self._waiting.empty():
            waiting.append(self._waiting.get())
        first = waiting[0][1]
        batch = [one for one in waiting if one[1] == first][:BATCH]
        taken = {id(one) for one in batch}
        self._left = [one for one in waiting if id(one) not in taken]
        return batch
