"""Devices: the mesh, its shardings and the start of a program on several hosts.

One axis, 'data'. Parameters are replicated, batches are split over their rows. XLA puts in the
collectives, so that a batch means the same on one device and on many.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dmcf_jax.errors import UserError
from dmcf_jax.runtime.console import log

# A process that is silent for so long counts as dead, and the others end. A loaded host may be late
# by seconds; JAX's default of 100 s is too long to wait.
HEARTBEAT_SECONDS = 30
# A launcher starts all processes at once; imports on a loaded disk take some of this.
START_SECONDS = 55
BY_HAND_SECONDS = 300  # where people start one process after the other
# The variables in which launchers give the number of processes, each with one that is set only if
# processes were really launched: in a SLURM allocation outside srun the count is set too.
LAUNCHED = {"SLURM_NTASKS": "SLURM_STEP_NODELIST", "OMPI_COMM_WORLD_SIZE": "OMPI_MCA_orte_hnp_uri"}


def start_hosts(
    multihost: bool | None = None,
    coordinator: str | None = None,
    process_count: int | None = None,
    process_id: int | None = None,
) -> bool:
    """Join the processes of a run on several hosts; call it before anything asks for a device.

    Args:
        multihost: None to join where arguments are given or the environment shows that SLURM or
            Open MPI started several processes; False never to join.
        coordinator: host:port of process 0, where all meet.
        process_count: how many processes there are.
        process_id: which one this is, from 0. What is None is asked of SLURM, TPU or Open MPI.

    Returns:
        Whether this process is one of several that joined.

    Raises:
        UserError: for arguments that are incomplete or wrong. When the others do not come within
            `START_SECONDS` (`BY_HAND_SECONDS` without a launcher), the process ends with a
            sentence: JAX would abort it without one.
    """
    given = [value for value in (coordinator, process_count, process_id) if value is not None]
    if multihost is False or not (multihost or given or _launched_many()):
        return False
    if coordinator is not None and not coordinator.rpartition(":")[2].isdecimal():
        raise UserError(f"--coordinator={coordinator}: expected host:port of process 0")
    others = _others(process_count)
    log(f"waiting for {others} (--nomultihost runs this process alone)")
    seconds = START_SECONDS if _launched_many() else BY_HAND_SECONDS
    try:
        with _ending_after(seconds, others):
            jax.distributed.initialize(
                coordinator,
                process_count,
                process_id,
                initialization_timeout=2 * seconds,
                heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            )
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"the processes of this run cannot be joined: {error} Without SLURM, TPU or "
            "Open MPI, name --coordinator=HOST:PORT --process_count=N --process_id=I."
        ) from error
    return True


def _others(process_count: int | None) -> str:
    """Return how many processes are waited for, and which launcher says so."""
    launcher = next((name for name in LAUNCHED if os.environ.get(name, "1") != "1"), None)
    if process_count or launcher is None:
        return f"all {process_count or ''} processes".replace("  ", " ")
    job = f" of SLURM job {os.environ['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in os.environ else ""
    return f"all {os.environ[launcher]} processes{job} ({launcher})"


@contextlib.contextmanager
def _ending_after(seconds: float, others: str) -> Iterator[None]:
    """End this process with a sentence if the body takes longer: it waits inside of C++."""

    def end() -> None:
        print(
            f"error: waited {seconds:.0f} s for {others}; they did not come. Start them together "
            "(srun, mpirun), or add --nomultihost to run this process alone: in a shell of "
            "`srun --pty` there is one process, though SLURM speaks of many.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(2)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _launched_many() -> bool:
    """Return whether a launcher that JAX knows started several processes."""
    return any(
        os.environ.get(count, "1") != "1" and sign in os.environ for count, sign in LAUNCHED.items()
    )


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Return a one-axis mesh over `devices`, by default all devices of all hosts."""
    devices = devices if devices is not None else jax.devices()
    # Auto: the compiler propagates shardings. The default of make_mesh would demand them by hand.
    return jax.make_mesh((len(devices),), ("data",), (AxisType.Auto,), devices=devices)


def ranking_mesh(of_this_process: bool = False) -> Mesh:
    """Return the mesh that shares the ranking: all devices, of CPUs one for each process.

    CPU devices beyond the first are virtual and share its cores.

    Args:
        of_this_process: leave out the devices of other processes.
    """
    devices = jax.local_devices() if of_this_process else jax.devices()
    if devices[0].platform == "cpu":
        devices = list({device.process_index: device for device in reversed(devices)}.values())
        devices.reverse()
    return make_mesh(devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """Return the sharding of what every device holds completely: state, keys, metrics."""
    return NamedSharding(mesh, PartitionSpec())


def by_row(mesh: Mesh) -> NamedSharding:
    """Return the sharding of arrays split along their first axis: batches."""
    return NamedSharding(mesh, PartitionSpec("data"))


def by_column(mesh: Mesh) -> NamedSharding:
    """Return the sharding of arrays split along their second axis."""
    return NamedSharding(mesh, PartitionSpec(None, "data"))


def with_sharding(shapes: Any, sharding: NamedSharding) -> Any:
    """Return a tree of shapes with the sharding that their arrays will have."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes
    )


def shard(tree: Any, sharding: NamedSharding) -> Any:
    """Return `tree` under `sharding`; every process has all of it and sends only its part."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda leaf: _assembled(leaf, sharding), tree)


def _assembled(leaf, sharding):
    if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
        return leaf
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_assembled(jax.random.key_data(leaf), sharding))
    array = np.asarray(leaf)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def gather_to_host(array: jax.Array) -> np.ndarray:
    """Return the complete `array` on every process; all must call."""
    if array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    return multihost_utils.process_allgather(array, tiled=True)


def check_divides(devices: int, P: int, K: int) -> None:
    """Refuse a batch whose P K pairs do not divide over the devices.

    Args:
        devices: how many there are.
        P: identities in a batch.
        K: images of each identity in each modality.

    Raises:
        UserError: with the nearest numbers of identities that do.
    """
    pairs = P * K
    if pairs % devices == 0:
        return
    fitting = [p for p in range(1, P + devices + 1) if (p * K) % devices == 0]
    below = [p for p in fitting if p < P][-1:]
    nearest = " or ".join(str(p) for p in below + [p for p in fitting if p > P][:1])
    raise UserError(
        f"a batch of P x K = {P} x {K} = {pairs} pairs does not divide over {devices} devices. "
        f"Set --config.sampler.P to {nearest}, or use fewer devices.",
        about="sampler.P",
    )
