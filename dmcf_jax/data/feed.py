"""Batches for the training step: gathered in device memory, or on the host with prefetch.

Both draw the same rows by the same pure function, so their batches are bit-identical.
"""

import contextlib
import itertools
import queue
import threading
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from dmcf_jax.data.identity_sampler import IdentityTable, PairBatch, draw_batch
from dmcf_jax.runtime.devices import by_row, replicated, shard

# Share of a device's memory that training images may take when placement is 'auto'.
IMAGE_SHARE = 0.35
# Batches that the host gathers ahead. More only cost memory: gathering takes about equally long
# for every batch.
PREFETCHED = 2
STUCK_SECONDS = 120


def choose_placement(placement: str, nbytes: int, memory: int | None) -> str:
    """Return 'device' or 'host' for `nbytes` of images.

    Args:
        placement: 'device', 'host' or 'auto'.
        nbytes: size of the decoded training images.
        memory: bytes of one device's memory, None for a CPU, which computes in the host's.
    """
    if placement != "auto":
        return placement
    return "device" if memory is None or nbytes <= IMAGE_SHARE * memory else "host"


def device_memory(device: jax.Device) -> int | None:
    """Return the bytes that the device may use, None for a CPU."""
    statistics = device.memory_stats() if device.platform != "cpu" else None
    return (statistics or {}).get("bytes_limit")


class DeviceLoader:
    """Keeps all images on every device, where the compiled step gathers its own batch.

    They are replicated, not sharded: any device may need any row, and sharded images would cross
    the network in every step.
    """

    def __init__(self, images: np.ndarray, table: IdentityTable, P: int, K: int, mesh: Mesh):
        """Put `images` uint8 [n h w 3] and `table` on the devices of `mesh`."""
        self._everywhere, self._by_row = replicated(mesh), by_row(mesh)
        self._source = shard((images, table), self._everywhere)
        self._shape = (P, K)

    def batches(self, start: int) -> Iterator[tuple]:
        """Yield what the wrapped step takes at step `start`, `start + 1`, ...: always the same."""
        return itertools.repeat(self._source)

    def wrap_step(self, train_step: Callable) -> Callable:
        """Return (state, source, keys) -> (state, metrics), to be jitted; source from `batches`."""

        def step_with_images(state, source, keys):
            images, table = source
            rows = draw_batch(table, keys.sampling, state.step, *self._shape)
            # Every device draws all rows, a few numbers, and gathers its share of the images.
            rows = jax.lax.with_sharding_constraint(rows, self._everywhere)
            chosen = images[rows.visible], images[rows.infrared]
            visible, infrared = jax.lax.with_sharding_constraint(chosen, self._by_row)
            batch = PairBatch(visible, infrared, rows.labels)
            return train_step(state, batch, jax.random.fold_in(keys.augmentation, state.step))

        return step_with_images


class HostLoader:
    """Keeps images on the host, where a thread gathers batches and sends them ahead of the device.

    Each process draws the rows of the whole batch and gathers those of its own devices only.
    """

    def __init__(
        self, images: np.ndarray, table: IdentityTable, P: int, K: int, mesh: Mesh, key: Array
    ):
        """Keep `images` uint8 [n h w 3], possibly memory-mapped; `key` is the sampling stream's."""
        self._images, self._by_row, self._everywhere = images, by_row(mesh), replicated(mesh)
        # The CPU draws the rows: bit-identical to those that any device would draw.
        self._cpu = jax.local_devices(backend="cpu")[0]
        self._table, self._key = jax.device_put((table, key), self._cpu)
        self._draw = jax.jit(draw_batch, static_argnums=(3, 4))
        self._shape = (P, K)

    def batches(self, start: int) -> Iterator[PairBatch]:
        """Yield the batches of steps `start`, `start + 1`, ... as sharded device arrays."""
        return prefetch((self._batch(step) for step in itertools.count(start)), PREFETCHED)

    def _batch(self, step: int) -> PairBatch:
        rows = self._draw(
            self._table, self._key, jax.device_put(np.int32(step), self._cpu), *self._shape
        )
        visible, infrared, labels = (np.asarray(part) for part in rows)
        labels = shard(labels, self._everywhere)
        return PairBatch(self._gather(visible), self._gather(infrared), labels)

    def _gather(self, rows: np.ndarray) -> jax.Array:
        """Return the images of `rows` [b]; each device is sent its share of them."""
        shape = (len(rows), *self._images.shape[1:])

        def part(index: tuple[slice, ...] | None) -> np.ndarray:
            assert index is not None  # JAX names a part for every device
            return self._images[rows[index[0]]]

        return jax.make_array_from_callback(shape, self._by_row, part)

    def wrap_step(self, train_step: Callable) -> Callable:
        """Return (state, batch, keys) -> (state, metrics), to be jitted."""

        def step_with_batch(state, batch, keys):
            return train_step(state, batch, jax.random.fold_in(keys.augmentation, state.step))

        return step_with_batch


def prefetch(items: Iterator, ahead: int) -> Iterator:
    """Yield `items`, made by a thread, up to `ahead` of them in advance.

    Raises:
        TimeoutError: no item came for `STUCK_SECONDS`.
    """
    ready: queue.Queue = queue.Queue(ahead)
    stopped = threading.Event()

    def hand_over(item: object, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                return ready.put((item, error), timeout=0.2)

    def produce() -> None:
        try:
            for item in items:
                hand_over(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # passed to the consumer, which raises it
            hand_over(None, error)

    thread = threading.Thread(target=produce, daemon=True, name="prefetch")
    thread.start()
    try:
        while True:
            item, error = _next_ready(ready)
            if error is not None:
                raise error
            yield item
    finally:
        # Python that ends while a thread is inside JAX aborts the process. A stuck one is not
        # waited for.
        stopped.set()
        thread.join(timeout=5)


def _next_ready(ready: queue.Queue) -> tuple:
    try:
        return ready.get(timeout=STUCK_SECONDS)
    except queue.Empty:
        raise TimeoutError(
            f"no batch came for {STUCK_SECONDS} s: the host is still gathering training images "
            "(is the disk of data.cache_dir stuck?)"
        ) from None
