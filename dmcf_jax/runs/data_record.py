"""What a run knows of its data: data.json in its folder.

It holds the SHA-256 of the records of every split, whether they show synthetic people, the names of
the people that the classes stand for, the values of pictures that became 0 and 255, and the version
that wrote it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from dmcf_jax import __version__
from dmcf_jax.config.build import resolved_wide_range
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.records.prepared import is_synthetic, read_metadata
from dmcf_jax.data.wide_values import FULL, WideRange
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.runs.folder import read_json
from dmcf_jax.runtime.files import write_atomically

NAME = "data.json"
MOST_NAMED = 5  # people that one message names


def metadata_of(config: ConfigDict) -> dict[str, Any]:
    """Return the metadata of the prepared data that a config names."""
    data = config.data
    return read_metadata(data.name, data.data_dir, DATASETS[data.name].trial(data.trial))


def names_of(identities: Iterable[int], metadata: Mapping[str, Any]) -> list[str]:
    """Return the names of people; of published data sets the number is the name."""
    names = metadata.get("identity_names", {})
    return [names.get(str(number), str(number)) for number in identities]


def describe(config: ConfigDict, classes: Sequence[int]) -> dict[str, Any]:
    """Return what data.json is to hold.

    Args:
        classes: identity of each class, in order.
    """
    metadata = metadata_of(config)
    return {
        "dataset": config.data.name,
        "trial": DATASETS[config.data.name].trial(config.data.trial),
        "official": metadata["official"],
        "synthetic": is_synthetic(metadata),
        "records_sha256": metadata["records_sha256"],
        "classes": names_of(classes, metadata),
        "wide_range": resolved_wide_range(config),
        "package_version": __version__,
    }


def write_record(workdir: Path, record: Mapping[str, Any]) -> None:
    """Write data.json, complete or not at all."""
    write_atomically(workdir / NAME, json.dumps(record, indent=1) + "\n")


def read_record(workdir: str | Path) -> dict[str, Any] | None:
    """Return data.json; None of a run that was started before there was one."""
    path = Path(workdir) / NAME
    return read_json(path) if path.exists() else None


def wide_range_of(workdir: str | Path) -> WideRange:
    """Return the range of values that the run's pictures were decoded with."""
    given = (read_record(workdir) or {"wide_range": FULL})["wide_range"]
    return tuple(given) if given else None


def refuse_other_data(workdir: Path, record: Mapping[str, Any], splits: Iterable[str]) -> None:
    """Compare the data of a run that is resumed with those that it was started with.

    Args:
        record: of the data now, see `describe`.
        splits: that are trained on.

    Raises:
        UserError: other records or other people, with both sides named.
    """
    known = read_record(workdir)
    if known is None:
        return
    problems = []
    for split in splits:
        then, now = known["records_sha256"].get(split), record["records_sha256"].get(split)
        if then != now:
            text = f"records of {split}: SHA-256 {_short(then)} then, {_short(now)} now"
            problems.append(Problem("records_sha256", text))
    if known["classes"] != record["classes"]:
        then, now = _named(known["classes"]), _named(record["classes"])
        problems.append(Problem("classes", f"people: {then} then, {now} now"))
    if problems:
        raise UserError.listing(
            f"{workdir} was trained on other data than there are now:",
            problems,
            "Give it its own data (--config.data.data_dir), or start a new run in another "
            "--workdir; --config.init_from takes over this one's weights.",
        )


def refuse_changed_test(
    source: str | Path,
    known: Mapping[str, Any] | None,
    metadata: Mapping[str, Any],
    people: Iterable[int],
) -> None:
    """Compare the test data of an evaluation that names no other data with the run's.

    Args:
        source: of the model, for the message.
        known: of its data, see `read_record`.
        metadata: of the data now.
        people: identities of the test images.

    Raises:
        UserError: the records are others than when the run was trained, or people are tested
            that it was trained on; with both sides named.
    """
    if known is None:
        return
    problems = []
    for split, then in known["records_sha256"].items():
        now = metadata["records_sha256"].get(split)
        if then != now:
            text = f"records of {split}: SHA-256 {_short(then)} then, {_short(now)} now"
            problems.append(Problem("records_sha256", text))
    if both := trained_and_tested(known, metadata, people):
        problems.append(Problem("classes", f"trained on and tested on: {_named(both)}"))
    if problems:
        raise UserError.listing(
            f"the data of {source} are not those that it was trained with:",
            problems,
            "Restore them, or name the data to test on: --data_dir=DIR, with --data and --trial "
            "where those differ. The result then says that it is of other data.",
        )


def trained_and_tested(
    known: Mapping[str, Any], metadata: Mapping[str, Any], people: Iterable[int]
) -> list[str]:
    """Return the names of tested people that are among a run's classes.

    A shared model does not name its people; it has none in common with any.
    """
    return sorted(set(known.get("classes", ())) & set(names_of(set(people), metadata)))


def _named(people: Sequence[str]) -> str:
    more = ", ..." if len(people) > MOST_NAMED else ""
    return f"{len(people)} people ({', '.join(people[:MOST_NAMED])}{more})"


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "no such split"
