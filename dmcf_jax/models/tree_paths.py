"""Trees of variables by path: 'visible/conv1/kernel' instead of nested dictionaries."""

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
