"""Render the synthetic data set in a real layout and prepare it like a download."""

import os
from pathlib import Path

from dmcf_jax.data.datasets import find_dataset
from dmcf_jax.data.records.prepare import Prepared, parse_trials, prepare
from dmcf_jax.data.records.prepared import SYNTHETIC_SOURCE
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.console import progress as show_progress
from dmcf_jax.runtime.files import sibling_folder

LAYOUTS = ("regdb", "sysu_mm01")
FEWEST_IDENTITIES = 4  # to train and to test


def prepare_synthetic(
    layout: str,
    identities: int,
    seed: int,
    data_dir: str | Path,
    *,
    trial: str | int | None = "all",
    progress: bool = False,
) -> list[Prepared]:
    """Render `identities` synthetic people and build them as an unofficial data set.

    The tree goes to data_dir/synthetic_source/<layout>_<identities>_<seed>; one that is there
    is used again. What is built is an ordinary 'regdb' or 'sysu_mm01' under `data_dir`.

    Args:
        layout: 'regdb' (thermal) or 'sysu_mm01' (near infrared, six cameras).
        identities: how many people, over all splits.
        seed: the same seed gives the same images.
        data_dir: where prepared data sets are kept.
        trial: for the RegDB layout 'all' or 1 to 10.
        progress: show a progress bar.

    Raises:
        UserError: no such layout or trial, too few identities, or the disk is full.
    """
    if layout not in LAYOUTS:
        text = f"--layout={layout}: choose one of {', '.join(LAYOUTS)}"
        raise UserError(text, about="--layout")
    if identities < FEWEST_IDENTITIES:
        needed = f"at least {FEWEST_IDENTITIES} are needed to train and to test"
        raise UserError(f"--identities={identities}: {needed}", about="--identities")
    parse_trials(find_dataset(layout), trial)
    source = synthetic_source(layout, identities, seed, data_dir)
    if not source.is_dir():
        _render(layout, identities, seed, source, progress)
    return prepare(layout, source, data_dir, trial=trial, unofficial=True, progress=progress)


def synthetic_source(layout: str, identities: int, seed: int, data_dir: str | Path) -> Path:
    """Return the folder of a rendered tree."""
    return Path(data_dir, SYNTHETIC_SOURCE, f"{layout}_{identities}_{seed}")


def _render(layout: str, identities: int, seed: int, source: Path, show: bool) -> None:
    """Render beside `source` and rename the tree to it when it is complete."""
    from dmcf_jax.data.synthetic import trees  # the renderer, which real data never need

    write = {"regdb": trees.write_regdb_tree, "sysu_mm01": trees.write_sysu_mm01_tree}[layout]
    try:
        with sibling_folder(source) as made, show_progress("rendering people", show) as update:
            write(made / "tree", identities=identities, seed=seed, progress=update)
            os.rename(made / "tree", source)
    except OSError as error:
        if not source.is_dir():  # otherwise another process was faster
            reason = error.strerror or error
            raise UserError(f"{source} cannot be written ({reason})", about=str(source)) from None
