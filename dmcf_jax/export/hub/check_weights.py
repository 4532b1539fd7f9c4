"""model.safetensors of a shared model against its config, before anything is built from it."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import safetensors.numpy
from flax import linen as nn
from safetensors import SafetensorError

from dmcf_jax.config.build import build_model
from dmcf_jax.errors import Problem
from dmcf_jax.export.hub.check_config import SharedConfig
from dmcf_jax.export.hub.layout import MOST_HEADER, WEIGHTS, printable
from dmcf_jax.methods import METHODS
from dmcf_jax.models.initial import variable_shapes
from dmcf_jax.models.tree_paths import leaves_by_path, path_name
from dmcf_jax.weights.misfits import misfits

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64"}
DTYPES |= {"I32": "int32", "U8": "uint8", "I8": "int8", "U32": "uint32", "BOOL": "bool"}
# Fields that say how many parts a network has; each part has at least one tensor.
PARTS = ("model.stage_sizes", "model.stripes", "model.non_local")

Header = dict[str, tuple[str, tuple[int, ...]]]  # dtype and shape by name


def read_header(data: bytes) -> Header | Problem:
    """Return the list of tensors at the beginning of a file, or why it is none.

    Its length is compared with a limit before it is parsed.
    """
    if len(data) < 8:
        return _no_safetensors("it is too short")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(MOST_HEADER, len(data) - 8):
        kind = "a pickle or a zip archive, as of torch.save" if _is_pickle(data) else "no header"
        return _no_safetensors(f"its header would have {length} bytes; it is {kind}")
    try:
        entries = json.loads(data[8 : 8 + length])
        entries.pop("__metadata__", None)
        return {
            printable(name): (
                DTYPES.get(entry["dtype"], printable(entry["dtype"])),
                tuple(int(size) for size in entry["shape"]),
            )
            for name, entry in entries.items()
        }
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        return _no_safetensors(f"its header cannot be read: {type(error).__name__}")


def _no_safetensors(why: str) -> Problem:
    return Problem(WEIGHTS, f"{WEIGHTS} is no safetensors file ({why})")


def _is_pickle(data: bytes) -> bool:
    return data[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def expected_variables(shared: SharedConfig, header: Header) -> tuple[nn.Module, dict] | Problem:
    """Return the network of a config and the shapes of its variables.

    A config that asks for more parts than the file has tensors is refused before its network is
    built, which would take long.
    """
    method = METHODS[shared.config.method.name]
    sizes = {name: shared.config.model[name.split(".")[1]] for name in PARTS}
    parts = sum(sum(size) for name, size in sizes.items() if method.reads_field(name))
    if parts > len(header):
        text = f"the config asks for {parts} parts, {WEIGHTS} has {len(header)} tensors"
        return Problem(WEIGHTS, text)
    network = build_model(shared.config, shared.identities)
    return network, variable_shapes(network, tuple(shared.config.data.size))


def check_weights(data: bytes, header: Header, shapes: dict) -> dict | list[Problem]:
    """Return the variables of a file, a tree like `shapes`, or all that does not fit.

    Args:
        data: the whole file.
        header: of the file.
        shapes: of the network's variables.
    """
    expected = leaves_by_path(shapes)
    problems = misfits(
        {name: shape for name, (_, shape) in header.items()},
        {name: leaf.shape for name, leaf in expected.items()},
    )
    problems += _other_dtypes(header, expected)
    if problems:
        return problems
    try:
        tensors = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        return [_no_safetensors(str(error))]
    problems = [
        Problem(name, f"not finite: {name} holds NaN or infinity")
        for name, value in tensors.items()
        if not np.isfinite(value).all()
    ]
    return problems or jax.tree_util.tree_map_with_path(
        lambda path, _: tensors[path_name(path)], shapes
    )


def _other_dtypes(header: Header, expected: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem(name, f"wrong dtype: {name} is {header[name][0]}, expected {leaf.dtype}")
        for name, leaf in expected.items()
        if name in header and header[name][0] != str(leaf.dtype)
    ]
