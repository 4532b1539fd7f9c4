"""Decode every image of a tree once and list those that cannot be used."""

import os
from collections.abc import Sequence
from pathlib import Path

from dmcf_jax.data import decode
from dmcf_jax.data.datasets.dataset import Dataset
from dmcf_jax.data.datasets.listing import Listing, problem
from dmcf_jax.data.records.measure import Measures
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.runtime.console import progress_bar
from dmcf_jax.runtime.threads import map_in_threads

MOST_SHOWN = 18  # problems that one message prints


def read_image_file(path: Path) -> bytes:
    """Return a file's bytes, or raise `decode.BadImage` with the reason it cannot be read."""
    try:
        if os.path.getsize(path) > decode.MAX_BYTES:
            raise decode.BadImage(f"is larger than {decode.MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise decode.BadImage(f"cannot be read ({error.strerror})") from None


def verify_images(
    root: Path, paths: Sequence[str], show: bool = False, measures: Measures | None = None
) -> list[Problem]:
    """Return a problem for every image that is empty, truncated, too large or unreadable.

    Args:
        root: root of the data set.
        paths: paths relative to it.
        show: whether to show a progress bar.
        measures: receives the values of all pictures that can be used.
    """

    def check(path: str) -> Problem | None:
        try:
            data = read_image_file(root / path)
            decode.decode(data, size=None)
            if measures is not None:
                measures.add(path, data, decode.open_image(data))
        except decode.BadImage as error:
            return problem(path, str(error))
        return None

    problems = []
    with progress_bar("verifying images", len(paths), show) as advance:
        for bad in map_in_threads(check, paths):
            problems += [bad] if bad else []
            advance(1)
    return problems


def refuse(dataset: Dataset, listing: Listing, bad_images: list[Problem], unofficial: bool) -> None:
    """Raise one error with all problems of a tree, if it has any.

    Raises:
        UserError: the layout or images are faulty, or counts differ and `unofficial` is false.
    """
    faults = listing.problems + bad_images
    mismatches = [] if unofficial else listing.mismatches
    problems = faults + mismatches
    if not problems:
        return
    cures = []
    if faults:
        cures.append("Correct these files, or copy them again from the data set's archive.")
    if mismatches:
        cures.append("To use a subset or other data in this layout on purpose, add --unofficial.")
    total = len(problems)
    title = f"{total} problem{'s' * (total > 1)} in this {dataset.title} tree:"
    raise UserError.listing(title, problems, cure=" ".join(cures), at_most=MOST_SHOWN)
