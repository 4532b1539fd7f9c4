"""Render the synthetic data set into a real layout and prepare it with the real builders."""

import os
from pathlib import Path

from dmcf_jax.data.records.prepare import Prepared, parse_trials, prepare
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.console import progress
from dmcf_jax.runtime.files import sibling_folder

LAYOUTS = ("regdb", "sysu_mm01")


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
      data_dir: where prepared data sets live.
      trial: for the RegDB layout 'all' or 1 to 10.
      progress: show a bar.
    """
    if layout not in LAYOUTS:
        raise UserError(f"--layout={layout}: choose one of {', '.join(LAYOUTS)}")
    if identities < 4:
        raise UserError(f"--identities={identities}: at least 4 are needed to train and to test")
    parse_trials(layout, trial)
    source = synthetic_source(layout, identities, seed, data_dir)
    if not source.is_dir():
        _render(layout, identities, seed, source, progress)
    return prepare(layout, source, data_dir, trial=trial, unofficial=True, progress=progress)


def synthetic_source(layout: str, identities: int, seed: int, data_dir: str | Path) -> Path:
    """Return the folder of a rendered tree."""
    return Path(data_dir, "synthetic_source", f"{layout}_{identities}_{seed}")


def _render(layout: str, identities: int, seed: int, source: Path, show: bool) -> None:
    """Render next to `source` and move it there when whole."""
    from dmcf_jax.data.synthetic import trees as synthetic_trees

    write = {
        "regdb": synthetic_trees.write_regdb_tree,
        "sysu_mm01": synthetic_trees.write_sysu_mm01_tree,
    }[layout]
    try:
        with sibling_folder(source) as made, progress("rendering people", show) as tell:
            write(made / "tree", identities=identities, seed=seed, progress=tell)
            os.rename(made / "tree", source)
    except OSError as error:
        if not source.is_dir():  # otherwise another process was faster
            raise UserError(f"{source} cannot be written ({error.strerror or error})") from None
