"""Check prepared records against the hashes written when they were built."""

import hashlib
from pathlib import Path

from dmcf_jax.data.decode import BadImage
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.builder import capped, source_digest
from dmcf_jax.data.records.prepare import Prepared, parse_trials
from dmcf_jax.data.records.reader import Records
from dmcf_jax.data.records.verify_images import read_image_file
from dmcf_jax.errors import UserError
from dmcf_jax.runtime.console import progress_bar
from dmcf_jax.runtime.threads import map_in_threads

ROWS = 64


def verify_prepared(
    dataset: str,
    data_dir: str | Path,
    *,
    trial: str | int | None = "all",
    source: str | Path | None = None,
    progress: bool = False,
) -> list[Prepared]:
    """Re-read every record of a prepared data set and compare with the recorded hashes.

    With `source` the download that it was made from is hashed and compared, too. RegDB with
    trial 'all' checks the trials that are there.

    Raises:
      UserError: nothing is prepared, or everything that is damaged or differs, at once.
    """
    found = _present(dataset, data_dir, trial)
    problems = []
    for item in found:
        problems += _check(item, source, progress)
    if problems:
        cure = "Delete these folders and run\n  " + prepared.command(dataset, data_dir)
        raise UserError.listing(
            f"{dataset} in {data_dir} failed verification:", capped(problems), cure
        )
    return found


def _present(dataset: str, data_dir: str | Path, trial: str | int | None) -> list[Prepared]:
    trials = parse_trials(dataset, trial)
    folders = {n: prepared.directory(dataset, data_dir, n) for n in trials}
    there = [n for n in trials if folders[n].is_dir()] or list(trials[:1])
    facts = {n: prepared.read_facts(dataset, data_dir, n) for n in there}
    return [Prepared(folders[n], n, facts[n], built=False) for n in there]


def _check(item: Prepared, source: str | Path | None, show: bool) -> list[str]:
    problems, paths = [], []
    for split, expected in item.facts["records_sha256"].items():
        try:
            digest, split_paths = split_digest(item.path, split, show)
        except UserError as error:
            problems.append(str(error))
            continue
        paths += split_paths
        if digest != expected:
            problems.append(f"{item.path}, split {split}: SHA-256 {digest}, expected {expected}")
    if source is not None and not problems:
        problems += _compare_source(item, Path(source), paths)
    return problems


def split_digest(folder: Path, split: str, show: bool = False) -> tuple[str, list[str]]:
    """Return the SHA-256 (hex) of a split's records, and their paths in record order."""
    records = Records(folder, split)

    def digests(start: int) -> list[tuple[bytes, str]]:
        rows = [records[row] for row in range(start, min(start + ROWS, len(records)))]
        keys = ("path", "identity", "camera", "modality", "image")
        return [(prepared.record_digest(*(row[k] for k in keys)), row["path"]) for row in rows]

    whole, paths = hashlib.sha256(), []
    with progress_bar(f"verifying {split}", len(records), show) as advance:
        for part in map_in_threads(digests, range(0, len(records), ROWS)):
            for digest, path in part:
                whole.update(digest)
                paths.append(path)
            advance(len(part))
    return whole.hexdigest(), paths


def _compare_source(item: Prepared, source: Path, paths: list[str]) -> list[str]:
    def digest(path: str) -> bytes | str:
        try:
            return hashlib.sha256(read_image_file(source / path)).digest()
        except BadImage as error:
            return f"{source / path}: {error}"

    files = dict(zip(paths, map_in_threads(digest, paths), strict=True))
    unreadable = [found for found in files.values() if isinstance(found, str)]
    if unreadable:
        return unreadable
    if source_digest(files) != item.facts["source_sha256"]:
        return [f"{source}: its images are no longer those that {item.path} was made from"]
    return []
