"""Verify a user's own pictures and build their records, or find them built already."""

import functools
import sys
from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets.own import OwnData, inspect
from dmcf_jax.data.datasets.own_table import root_of
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.prepare import Prepared, build, locked
from dmcf_jax.data.records.verify_images import verify_images
from dmcf_jax.errors import UserError


def prepare_own(
    source: str | Path | None,
    data_dir: str | Path,
    *,
    split_by_identity: float | None = None,
    seed: int = 0,
    progress: bool = False,
) -> list[Prepared]:
    """Build the data set 'own' under `data_dir` from a CSV file or a tree of pictures.

    See `own_table` for both layouts. Nothing is written before every row and every image has been
    checked. What is built from the same list, split alike, is left alone.

    Args:
      source: a CSV file, or a folder with `visible` and `infrared`; None where it is prepared.
      data_dir: where prepared data sets live.
      split_by_identity: the share of identities to train on; None takes the column `split`.
      seed: of that draw.
      progress: show a bar.

    Raises:
      UserError: every offending row at once, or what else stands in the way.
    """
    where = prepared.directory("own", data_dir)
    if source is None or str(source) == "":
        return [Prepared(where, None, prepared.read_facts("own", data_dir), built=False)]
    found = inspect(source, split_by_identity, seed)
    _refuse_rows(source, found.listing.problems)
    if where.exists():
        return [Prepared(where, None, _same(where, data_dir, source, found), built=False)]
    for note in found.listing.notes if progress else ():
        print(f"note: {note}", file=sys.stderr)
    _refuse_rows(source, verify_images(root_of(source), found.listing.paths(), progress))
    choices = {"list": str(Path(source).resolve()), "split_by_identity": split_by_identity}
    _build(found, choices | {"seed": seed}, Path(source), Path(data_dir), progress)
    return [Prepared(where, None, prepared.read_facts("own", data_dir), built=True)]


def _refuse_rows(source: str | Path, problems: list[str]) -> None:
    """Raise one error with all of `problems`, however many: each is a row to mend."""
    if problems:
        title = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {source}:"
        raise UserError.listing(title, problems, "Nothing was prepared.")


def _same(where: Path, data_dir: str | Path, source: str | Path, found: OwnData) -> dict[str, Any]:
    facts = prepared.read_facts("own", data_dir)
    if facts.get("list_sha256") != found.digest():
        raise UserError(
            f"{where} is already there and holds other pictures or another split than {source} "
            "gives now. Delete it to build it anew, or choose another --data_dir"
        )
    return facts


def _build(
    found: OwnData, choices: dict[str, Any], source: Path, data_dir: Path, show: bool
) -> None:
    from dmcf_jax.data.records.own_data import Own

    make = functools.partial(Own, found=found, choices=choices)
    folders, listings = {None: prepared.directory("own", data_dir)}, {None: found.listing}
    with locked(data_dir):
        build("own", root_of(source), data_dir, folders, listings, True, show, make)
