"""Check prepared records against the hashes written when they were built."""

import hashlib
from pathlib import Path

from dmcf_jax.data.datasets import find_dataset
from dmcf_jax.data.decode import BadImage
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.builder import source_digest
from dmcf_jax.data.records.prepare import Prepared, parse_trials
from dmcf_jax.data.records.reader import Records
from dmcf_jax.data.records.verify_images import MOST_SHOWN, read_image_file
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.runtime.console import progress_bar
from dmcf_jax.runtime.threads import map_in_threads

ROWS_AT_ONCE = 64


def verify_prepared(
    dataset: str,
    data_dir: str | Path,
    *,
    trial: str | int | None = "all",
    source: str | Path | None = None,
    progress: bool = False,
) -> list[Prepared]:
    """Read every record of a prepared data set and compare it with the recorded hashes.

    With `source` the download that it was made from is hashed and compared, too. Of a data set
    with trials, 'all' checks those that are prepared.

    Raises:
        UserError: nothing is prepared, or everything that is damaged or differs, at once.
    """
    checked = _prepared(dataset, data_dir, trial)
    problems = []
    for item in checked:
        problems += _check(item, source, progress)
    if problems:
        title = f"{dataset} in {data_dir} failed verification:"
        unofficial = any(_is_unofficial(item) for item in checked)
        trials = ",".join(str(item.trial) for item in checked if item.trial)
        again = prepared.command(dataset, data_dir, trials, unofficial=unofficial)
        cure = f"Delete these folders and run\n  {again}"
        raise UserError.listing(title, problems, cure, at_most=MOST_SHOWN)
    return checked


def _is_unofficial(item: Prepared) -> bool:
    published = find_dataset(item.metadata["dataset"]).published is not None
    return published and not item.metadata["official"]


def _prepared(dataset: str, data_dir: str | Path, trial: str | int | None) -> list[Prepared]:
    trials = parse_trials(find_dataset(dataset), trial)
    folders = {n: prepared.directory(dataset, data_dir, n) for n in trials}
    # If none is there, reading the first one's metadata raises with the command to run.
    present = [n for n in trials if folders[n].is_dir()] or list(trials[:1])
    return [
        Prepared(folders[n], n, prepared.read_metadata(dataset, data_dir, n), built=False)
        for n in present
    ]


def _check(item: Prepared, source: str | Path | None, show: bool) -> list[Problem]:
    problems, paths, about = [], [], str(item.path)
    for split, expected in item.metadata["records_sha256"].items():
        try:
            digest, split_paths = split_digest(item.path, split, show)
        except UserError as error:
            problems += error.problems
            continue
        paths += split_paths
        if digest != expected:
            text = f"{item.path}, split {split}: SHA-256 {digest}, expected {expected}"
            problems.append(Problem(about, text))
    if source is not None and not problems:
        problems += _compare_source(item, Path(source), paths)
    return problems


def split_digest(folder: Path, split: str, show: bool = False) -> tuple[str, list[str]]:
    """Return the SHA-256 (hex) of a split's records, and their paths in record order."""
    records = Records(folder, split)

    def digests(start: int) -> list[tuple[bytes, str]]:
        rows = range(start, min(start + ROWS_AT_ONCE, len(records)))
        return [
            (prepared.record_digest(record), record["path"])
            for record in (records[row] for row in rows)
        ]

    total, paths = hashlib.sha256(), []
    with progress_bar(f"verifying {split}", len(records), show) as advance:
        for block in map_in_threads(digests, range(0, len(records), ROWS_AT_ONCE)):
            for digest, path in block:
                total.update(digest)
                paths.append(path)
            advance(len(block))
    return total.hexdigest(), paths


def _compare_source(item: Prepared, source: Path, paths: list[str]) -> list[Problem]:
    def digest(path: str) -> bytes | Problem:
        try:
            return hashlib.sha256(read_image_file(source / path)).digest()
        except BadImage as error:
            return Problem(path, f"{source / path}: {error}")

    found = list(map_in_threads(digest, paths))
    unreadable = [file for file in found if isinstance(file, Problem)]
    if unreadable:
        return unreadable
    files = {path: file for path, file in zip(paths, found, strict=True) if isinstance(file, bytes)}
    if source_digest(files) != item.metadata["source_sha256"]:
        text = f"{source}: its images are no longer those that {item.path} was made from"
        return [Problem("--source", text)]
    return []
