"""Which weights of a file do not fit a network."""

from collections.abc import Mapping

from dmcf_jax.errors import Problem

Shapes = Mapping[str, tuple[int, ...]]


def misfits(shapes: Shapes, expected: Shapes) -> list[Problem]:
    """Return what is missing, unknown or of another shape, each about the name of an array.

    Args:
        shapes: of the file's arrays, by name.
        expected: shapes of the network's arrays, by name.
    """
    missing = [Problem(name, f"missing: {name}") for name in expected if name not in shapes]
    unknown = [Problem(name, f"unknown: {name}") for name in shapes if name not in expected]
    wrong = [
        Problem(name, f"wrong shape: {name} is {shapes[name]}, expected {shape}")
        for name, shape in expected.items()
        if name in shapes and shapes[name] != shape
    ]
    return missing + unknown + wrong
