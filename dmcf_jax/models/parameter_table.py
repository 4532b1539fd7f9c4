"""A table of what is learned, printed when a run starts."""

from typing import Any

import jax


def count(tree: Any) -> int:
    """Return the number of values in a tree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def parameter_table(params: dict) -> str:
    """Return a line for each part of the network with its parameters, and their total."""
    rows = [(name, count(part)) for name, part in params.items()]
    rows.append(("total", count(params)))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {number:>12,}" for name, number in rows)
