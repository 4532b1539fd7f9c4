"""How many bytes a program moves once its operations are fused: an estimate without a compiler.

Convolutions and matrix products are a library's: they read and write memory. All others are
computed where they are used, out of what is in memory. Sums, maxima and the like write their
result; those that read the same arrays share one pass, as do all results of the program. A value
that is part of several passes is written once where that moves less than to compute it in each; so
are the steps on the way to it, so that the estimate is rather too high.
"""

from collections import defaultdict
from collections.abc import Iterable

from benchmarks.program_graph import Operation, Program

MADE_IN_PLACE = ("constant", "iota")
WRITING = (
    "reduce",
    "reduce_window",
    "select_and_scatter",
    "sort",
    "gather",
    "scatter",
    "case",
    "while",
    "custom_call",
)


def is_product(program: Program, operation: Operation) -> bool:
    """Return whether it is a convolution or a product of matrices; two vectors make a sum."""
    if operation.kind == "dot_general":
        return all(len(program.values[number].shape) > 1 for number in operation.inputs)
    return operation.kind == "convolution"


def fused_bytes(program: Program) -> int:
    """Return the bytes that are read and written in one run of the program."""
    return _Memory(program).bytes_of_all()


def _passes_with(program: Program) -> dict[int, set[int]]:
    """Return for each value the passes in which it is computed, by one of their numbers each."""
    found: dict[int, set[int]] = defaultdict(set)
    for number in program.results:
        found[number].add(-1)  # all results share one
    operands = {n for op in program.operations if is_product(program, op) for n in op.inputs}
    for index, op in reversed(list(enumerate(program.operations))):
        fused = not (is_product(program, op) or op.kind in (*WRITING, "dot_general"))
        own = set().union(*(found[number] for number in op.outputs)) if fused else {index}
        if fused and operands.intersection(op.outputs):
            own = {index}  # the operand of a product is written
        for number in op.inputs:
            found[number] |= own
    return found


class _Memory:
    """What has been written so far, and which of that each other value is computed from."""

    def __init__(self, program: Program):
        self.program, self.bytes = program, 0
        self.sources = {number: frozenset([number]) for number in program.arguments}
        self.passes_with = _passes_with(program)
        self.passes: set[frozenset] = set()

    def bytes_of_all(self) -> int:
        for operation in self.program.operations:
            self._add(operation)
        self._write_together(self.program.results)
        return self.bytes

    def _size(self, numbers: Iterable[int]) -> int:
        return sum(self.program.values[number].size for number in numbers)

    def _add(self, op: Operation) -> None:
        if op.kind in MADE_IN_PLACE:
            self.sources |= dict.fromkeys(op.outputs, frozenset())
        elif is_product(self.program, op):
            for number in op.inputs:
                self._write_together([number])
            self._written(op.outputs, op.inputs)
        elif op.kind == "gather":  # reads as much as it returns
            self._written(op.outputs, op.outputs)
        elif op.kind in WRITING or op.kind == "dot_general":
            read = self._read_by(op)
            self._written(op.outputs, () if read in self.passes else read)
            self.passes.add(read)
        else:
            self._fuse(op)

    def _read_by(self, op: Operation) -> frozenset[int]:
        return frozenset().union(*(self.sources[number] for number in op.inputs))

    def _fuse(self, op: Operation) -> None:
        (output,) = op.outputs
        read = self._read_by(op)
        if op.kind == "slice" and read == {op.inputs[0]}:
            read = frozenset([output])  # only this part is read
        self.sources[output] = read
        uses, again, once = len(self.passes_with[output]), self._size(read), self._size([output])
        if (uses - 1) * again > (uses + 1) * once:
            self._write_together([output])

    def _write_together(self, numbers: Iterable[int]) -> None:
        """Write the values that are not in memory by passes that read each source once."""
        new = [number for number in numbers if self.sources[number] != {number}]
        self._written(new, frozenset().union(*(self.sources[number] for number in new)))

    def _written(self, numbers: Iterable[int], read: Iterable[int]) -> None:
        self.bytes += self._size(read) + self._size(numbers)
        self.sources |= {number: frozenset([number]) for number in numbers}
