"""What crosses the network in a training step: read from the compiled program, not measured."""

import re
from collections import Counter

import jax
import numpy as np
from ml_collections import ConfigDict

from dmcf_jax.config.build import build
from dmcf_jax.data.feed import DeviceLoader
from dmcf_jax.data.identity_sampler import identity_table
from dmcf_jax.runtime import devices as mesh
from dmcf_jax.runtime.random_keys import training_keys
from dmcf_jax.training.compile_step import lower_step

KINDS = (
    "all-reduce",
    "all-gather",
    "all-to-all",
    "collective-permute",
    "collective-broadcast",
    "reduce-scatter",
)
_INSTRUCTION = re.compile(rf" = (.+?) ({'|'.join(KINDS)})(?:-start)?\(")
_ARRAY = re.compile(r"(pred|[a-z]+?(\d+)[a-z0-9]*)\[([\d,]*)\]")
_SCOPE = re.compile(r'op_name="([^"]*)"')


class Collective:
    """One instruction by which devices exchange data.

    Attributes:
        kind: one of `KINDS`.
        shapes: of the arrays that come out of it on each device.
        size: their bytes together.
        scope: the part of the program that it is of, as the compiler names it.
    """

    def __init__(self, kind: str, result: str, scope: str):
        """Read the arrays in `result`, as HLO writes their types."""
        arrays = [(bits, _shape(dims)) for _, bits, dims in _ARRAY.findall(result)]
        self.kind, self.scope = kind, scope
        self.shapes = [shape for _, shape in arrays]
        self.size = sum(int(np.prod(shape)) * int(bits or 8) // 8 for bits, shape in arrays)

    def __repr__(self):
        return f"{self.kind} {self.shapes} of {self.scope}"


def _shape(dims):
    return tuple(int(side) for side in dims.split(",") if side)


def collectives(hlo: str) -> list[Collective]:
    """Return every collective instruction of a compiled program's text."""
    found = []
    for line in hlo.splitlines():
        if match := _INSTRUCTION.search(line):
            scope = _SCOPE.search(line)
            found.append(Collective(match[2], match[1], scope[1] if scope else ""))
    return found


def network_of_a_step(config: ConfigDict, devices: int, identities: int = 206) -> dict:
    """Return count and bytes of the collectives in the step of `config` on virtual CPU devices.

    Nothing is run: the program is compiled from shapes alone. It must be the first use of JAX in
    its process.

    Args:
        devices: how many to compile for.
        identities: classes of the classifiers, RegDB's by default.
    """
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", devices)
    found = collectives(compiled_step(config, identities).as_text())
    number, size = Counter(), Counter()
    for collective in found:
        number[collective.kind] += 1
        size[collective.kind] += collective.size
    return {
        "what": "network",
        "devices": jax.device_count(),
        "pairs": config.sampler.P * config.sampler.K,
        "dtype": config.dtype,
        "collectives": dict(number),
        "bytes": dict(size),
    }


def compiled_step(config: ConfigDict, identities: int) -> jax.stages.Compiled:
    """Compile the training step of `config` for all devices, with images of the right shape."""
    P, K = config.sampler.P, config.sampler.K
    devices = mesh.make_mesh()
    everywhere = mesh.replicated(devices)
    built = build(config, identities)
    identity, modality = np.repeat(np.arange(identities), 2 * K), np.arange(2 * K * identities) % 2
    table = identity_table(identity, modality, P)
    images = np.zeros((2, *config.data.size, 3), np.uint8)
    feed = DeviceLoader(images, table, P, K, devices)
    inputs = mesh.with_sharding(
        (built.state_shapes(), next(feed.batches(0)), training_keys(config.seed)), everywhere
    )
    return lower_step(feed, built.train_step, inputs, devices).compile()
