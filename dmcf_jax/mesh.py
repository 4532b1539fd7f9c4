"""Devices: the mesh, its shardings and the start of a program on several hosts.

One axis, 'data'. Parameters are replicated, batches are split over their rows. XLA puts in the
collectives, so that a batch means the same on one device and on many.
"""

from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dmcf_jax.errors import UserError


def make_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """Return a one-axis mesh over `devices`, by default all devices of all hosts."""
    devices = devices if devices is not None else jax.devices()
    # Auto: the compiler propagates shardings. The default of make_mesh would demand them by hand.
    return jax.make_mesh((len(devices),), ("data",), (AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """Return the sharding of what every device holds whole: state, keys, metrics."""
    return NamedSharding(mesh, PartitionSpec())


def by_row(mesh: Mesh) -> NamedSharding:
    """Return the sharding of arrays split along their first axis: batches."""
    return NamedSharding(mesh, PartitionSpec("data"))


def placed(shapes: Any, sharding: NamedSharding) -> Any:
    """Return a tree of shapes that says where their arrays shall lie."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes
    )


def check_divides(pairs: int, devices: int, P: int, K: int) -> None:
    """Refuse a batch whose P K pairs do not divide over the devices.

    Raises:
        UserError: with the nearest numbers of identities that do.
    """
    if pairs % devices == 0:
        return
    fitting = [p for p in range(1, P + devices + 1) if (p * K) % devices == 0]
    below = [p for p in fitting if p < P][-1:]
    nearest = " or ".join(str(p) for p in below + [p for p in fitting if p > P][:1])
    raise UserError(
        f"a batch of P x K = {P} x {K} = {pairs} pairs does not divide over {devices} devices. "
        f"Set --config.sampler.P to {nearest}, or use fewer devices."
    )
