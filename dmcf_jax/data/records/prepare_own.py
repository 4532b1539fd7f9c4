"""Verify a user's own pictures and build their records, or find them built already."""

import sys
from pathlib import Path
from typing import Any

from dmcf_jax.data.datasets import own
from dmcf_jax.data.datasets.own_table import root_of
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.build import build
from dmcf_jax.data.records.measure import Measures
from dmcf_jax.data.records.prepare import Prepared
from dmcf_jax.data.records.verify_images import verify_images
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.runtime.paths import local_path

NAME = own.DATASET.name


def prepare_own(
    source: str | Path | None,
    data_dir: str | Path,
    *,
    split_by_identity: float | None = None,
    seed: int = 0,
    pattern: str | None = None,
    progress: bool = False,
) -> list[Prepared]:
    """Build the data set 'own' under `data_dir` from a CSV file or a tree of pictures.

    See `own_table` for both layouts. Nothing is written before every row and every image has been
    checked. What was built from the same list with the same split is left alone.

    Args:
        source: a CSV file, or a folder with `visible` and `infrared`; None if it is prepared.
        data_dir: where prepared data sets are kept.
        split_by_identity: the share of identities to train on; None takes the column `split`.
        seed: of that draw.
        pattern: the order of a tree's folders, see `own_tree.pattern_rows`.
        progress: show a progress bar.

    Raises:
        UserError: every faulty row at once, or what else prevents it.
    """
    data_dir = local_path(data_dir, "--data_dir")
    where = prepared.directory(NAME, data_dir)
    if source is None or str(source) == "":
        return [Prepared(where, None, prepared.read_metadata(NAME, data_dir), built=False)]
    source = local_path(source, "--source")
    data, root = own.inspect(source, split_by_identity, seed, pattern), root_of(source)
    for note in data.listing.notes if progress else ():
        print(f"note: {note}", file=sys.stderr)
    _refuse_rows(source, data.listing.problems)
    if where.exists():
        return [Prepared(where, None, _same(where, data_dir, source, data), built=False)]
    measures = Measures()
    bad = verify_images(root, data.listing.paths(), progress, measures)
    notes = data.listing.notes + measures.notes()
    for note in measures.notes() if progress else ():
        print(f"note: {note}", file=sys.stderr)
    _refuse_rows(source, bad)
    metadata = {
        "list": str(Path(source).resolve()),
        "split_by_identity": split_by_identity,
        "seed": seed,
        "pattern": pattern,
        "notes": notes,
        "wide": measures.as_metadata(),
        "list_sha256": data.digest(),
        "identity_names": {str(n): name for n, name in data.identities.items()},
        "camera_names": {str(n): name for n, name in data.cameras.items()},
    }
    build(
        own.DATASET,
        root,
        Path(data_dir),
        {None: data.listing},
        unofficial=True,
        show=progress,
        metadata=metadata,
    )
    return [Prepared(where, None, prepared.read_metadata(NAME, data_dir), built=True)]


def _refuse_rows(source: str | Path, problems: list[Problem]) -> None:
    """Raise one error with all of `problems`, however many: each is a row to correct."""
    if problems:
        title = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {source}:"
        raise UserError.listing(title, problems, "Nothing was prepared.")


def _same(
    where: Path, data_dir: str | Path, source: str | Path, data: own.OwnData
) -> dict[str, Any]:
    """Return the metadata of what is prepared, if `data` would give the same."""
    metadata = prepared.read_metadata(NAME, data_dir)
    if metadata.get("list_sha256") != data.digest():
        raise UserError(
            f"{where} is already there and holds other pictures or another split than {source} "
            "gives now. Delete it to build it again, or choose another --data_dir",
            about="--source",
        )
    return metadata
