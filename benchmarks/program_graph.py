"""A lowered program as a flat list of operations: functions written out where they are called.

A body of a loop or of a branch counts once.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxlib.mlir import ir

BITS = {"i1": 8, "f8": 8, "bf16": 16, "f16": 16, "f32": 32, "f64": 64}
_WITH_BODIES = ("while", "case", "if")


class Value(NamedTuple):
    """An array of the program: its shape and the name of its type, such as 'bf16'."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return int(np.prod(self.shape))

    @property
    def size(self) -> int:
        """Its bytes."""
        bits = BITS.get(self.dtype) or int("".join(filter(str.isdigit, self.dtype)) or 8)
        return self.count * bits // 8


class Operation(NamedTuple):
    """One operation.

    Attributes:
        kind: its name in StableHLO, such as 'convolution'.
        inputs: numbers of the values that it takes.
        outputs: numbers of those that it makes.
        target: what a 'custom_call' calls, else ''.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    target: str = ""


class Program(NamedTuple):
    """All operations in order.

    Attributes:
        values: what each number stands for.
        operations: each after those whose values it takes.
        arguments: numbers of what the program is given.
        results: numbers of what it returns.
    """

    values: list[Value]
    operations: list[Operation]
    arguments: tuple[int, ...]
    results: tuple[int, ...]


def read_program(module: Any) -> Program:
    """Return the operations of a StableHLO module, from `Lowered.compiler_ir()`."""
    reader = _Reader({op.name.value: op for op in module.body.operations if _is_function(op)})
    (entry,) = reader.functions["main"].regions[0].blocks
    arguments = tuple(reader.new(argument.type) for argument in entry.arguments)
    results = reader.read(entry, dict(zip(entry.arguments, arguments, strict=True)))
    return Program(reader.values, reader.operations, arguments, tuple(results))


def _is_function(op):
    return op.operation.name == "func.func"


class _Reader:
    def __init__(self, functions):
        self.functions, self.values, self.operations = functions, [], []

    def new(self, kind):
        tensor = ir.RankedTensorType(kind)
        self.values.append(Value(tuple(tensor.shape), str(tensor.element_type)))
        return len(self.values) - 1

    def read(self, block, known):
        """Add the operations of a block; return the numbers of what it returns."""
        for op in block.operations:
            name, inputs = op.operation.name, [known[value] for value in op.operands]
            if name.endswith(".return"):
                return inputs
            if name == "func.call":
                outputs = self._called(op, inputs)
            else:
                outputs = self._added(op, name.partition(".")[2], inputs, known)
            known |= zip(op.results, outputs, strict=True)
        return []

    def _called(self, op, inputs):
        (body,) = self.functions[op.attributes["callee"].value].regions[0].blocks
        return self.read(body, dict(zip(body.arguments, inputs, strict=True)))

    def _added(self, op, kind, inputs, known):
        if kind in _WITH_BODIES:
            inputs = inputs + [
                number for region in op.regions for number in self._body(region, inputs, known)
            ]
        target = str(op.attributes["call_target_name"]).strip('"') if kind == "custom_call" else ""
        outputs = tuple(self.new(result.type) for result in op.results)
        self.operations.append(Operation(kind, tuple(inputs), outputs, target))
        return outputs

    def _body(self, region, inputs, known):
        (block,) = region.blocks
        return self.read(block, known | dict(zip(block.arguments, inputs)))  # noqa: B905
