"""Verify a data set's download and build its records, or render synthetic people.

dmcf prepare_data --dataset=regdb --source=DIR --data_dir=DIR
dmcf prepare_data --dataset=synthetic --identities=100 --data_dir=DIR --trial=1
dmcf prepare_data --dataset=own --source=DIR|CSV --split_by_identity=0.5 --data_dir=DIR
dmcf prepare_data --dataset=regdb --data_dir=DIR --verify
"""

import re
from collections.abc import Sequence
from typing import Any

from absl import flags

from dmcf_jax.cli import app
from dmcf_jax.errors import Problem, UserError

flags.DEFINE_string("dataset", None, "regdb, sysu_mm01, llcm, own or synthetic.")
flags.DEFINE_string("source", None, "Root of your own download; own: a folder or a CSV file.")
flags.DEFINE_string("data_dir", None, "Folder of prepared data sets.")
flags.DEFINE_string("trial", "all", "RegDB: 1 to 10, or all.")
flags.DEFINE_bool("unofficial", False, "Accept counts other than the published ones.")
flags.DEFINE_bool("verify", False, "Check what is prepared against its hashes; build nothing.")
flags.DEFINE_string("layout", "regdb", "synthetic: regdb or sysu_mm01.")
flags.DEFINE_integer("identities", 100, "synthetic: how many people, over all splits.")
flags.DEFINE_float("split_by_identity", None, "own: draw this share of the people to train on.")
flags.DEFINE_string("pattern", None, "own: folders' order, as {split}/{identity}/{modality}.")
flags.DEFINE_integer("seed", 0, "synthetic: the same seed gives the same images; own: the split.")


def main() -> None:
    """Prepare or verify by the flags."""
    run(flags.FLAGS)


def run(options: Any) -> None:
    """Prepare or verify as `options` say, and print a line for each result.

    Args:
        options: an object with the flags as attributes.

    Raises:
        UserError: flags that do not go together, or whatever stops the work.
    """
    _check(options)
    if options.verify:
        for result in _verify(options):
            print(f"{result.path}: verified, every hash is right")
    else:
        for result in _prepare(options):
            print(result.summary())


def _check(options: Any) -> None:
    from dmcf_jax.data.datasets import DATASETS

    problems = []
    allowed = (*DATASETS, "synthetic")
    if options.dataset not in allowed:
        text = f"--dataset={options.dataset}: choose one of {', '.join(allowed)}"
        problems.append(Problem("--dataset", text + _way_in(options.dataset)))
    if not options.data_dir:
        text = "--data_dir is missing: the folder for prepared data sets"
        problems.append(Problem("--data_dir", text))
    if options.dataset in allowed:
        problems += _without_effect(options)
    if options.seed < 0:
        problems.append(Problem("--seed", f"--seed={options.seed}: expected 0 or more"))
    if options.dataset == "synthetic" and options.source:
        text = "--source does not go with --dataset=synthetic, which renders its own images"
        problems.append(Problem("--source", text))
    if problems:
        raise UserError.listing("nothing was done:", problems)


def _way_in(name: str | None) -> str:
    """Return how a data set that has no name here is prepared all the same, '' if unknown."""
    known = re.sub(r"[^a-z0-9]", "", (name or "").lower())
    if "vcm" in known:
        from dmcf_jax.data.datasets.own_tree import VCM

        return f". HITSZ-VCM is read with --dataset=own --pattern='{VCM}'"
    if known.startswith(("market", "duke", "msmt")):
        return ". The names of its files are known to --dataset=own (docs/tutorial.md)"
    return ""


def _without_effect(options: Any) -> list[Problem]:
    """Return a problem for each flag that was given and means nothing for this data set."""
    from dmcf_jax.data.datasets import DATASETS

    own, made = _is_own(options.dataset), options.dataset == "synthetic"
    known = DATASETS.get(options.layout if made else options.dataset)
    has_trials = known is None or known.trials is not None
    meant = {
        "split_by_identity": own,
        "pattern": own,
        "seed": own or made,
        "layout": made,
        "identities": made,
        "unofficial": not own,
        "trial": has_trials,
    }
    values = {name: getattr(options, name, flags.FLAGS[name].default) for name in meant}
    return [
        Problem(f"--{name}", f"--{name}={value} has no effect with --dataset={options.dataset}")
        for name, value in values.items()
        if not meant[name] and value != flags.FLAGS[name].default
    ]


def _is_own(name: str) -> bool:
    """Return whether the user's own list takes the place of a layout."""
    from dmcf_jax.data.datasets import DATASETS

    return name in DATASETS and DATASETS[name].inspect is None


def _prepare(options: Any) -> Sequence:
    if options.dataset == "synthetic":
        from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic

        return prepare_synthetic(
            options.layout,
            options.identities,
            options.seed,
            options.data_dir,
            trial=options.trial,
            progress=True,
        )
    if _is_own(options.dataset):
        from dmcf_jax.data.records.prepare_own import prepare_own

        return prepare_own(
            options.source,
            options.data_dir,
            split_by_identity=options.split_by_identity,
            seed=options.seed,
            pattern=getattr(options, "pattern", None),
            progress=True,
        )
    from dmcf_jax.data.records.prepare import prepare

    return prepare(
        options.dataset,
        options.source,
        options.data_dir,
        trial=options.trial,
        unofficial=options.unofficial,
        progress=True,
    )


def _verify(options: Any) -> Sequence:
    from dmcf_jax.data.datasets.own_table import root_of
    from dmcf_jax.data.records.prepare_synthetic import synthetic_source
    from dmcf_jax.data.records.verify_records import verify_prepared

    dataset, source = options.dataset, options.source
    if dataset == "synthetic":
        dataset = options.layout
        source = synthetic_source(
            options.layout, options.identities, options.seed, options.data_dir
        )
    if source and _is_own(dataset):
        source = root_of(source)
    return verify_prepared(
        dataset, options.data_dir, trial=options.trial, source=source, progress=True
    )


if __name__ == "__main__":
    app.run(main)
