"""Trees of variables: by path, 'visible/conv1/kernel', and how many values they have."""

from typing import Any

import jax


def path_name(path: tuple) -> str:
    """Return a tree path as 'visible/conv1/kernel'."""
    return "/".join(str(entry.key) for entry in path)


def leaves_by_path(tree: dict) -> dict[str, Any]:
    """Return the leaves of nested dictionaries by path."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def tree_of(named: dict[str, Any]) -> dict:
    """Return the nested dictionaries that `leaves_by_path` was given."""
    tree: dict = {}
    for name, value in named.items():
        *folders, leaf = name.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = value
    return tree


def count(tree: Any) -> int:
    """Return the number of values in a tree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def parameter_table(params: dict) -> str:
    """Return a line for each part of the network with its parameters, and their total."""
    rows = [(name, count(part)) for name, part in params.items()]
    rows.append(("total", count(params)))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {number:>12,}" for name, number in rows)
