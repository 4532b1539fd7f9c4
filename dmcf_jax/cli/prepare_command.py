"""Prepare or verify a data set as the flags of `prepare_data` ask."""

from typing import Any

from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.datasets.own_table import root_of
from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.data.records.prepare_own import prepare_own
from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic, synthetic_source
from dmcf_jax.errors import Problem, UserError


def run(options: Any) -> None:
    """Prepare or verify a data set, and print a line for each result.

    Args:
        options: an object with the flags as attributes.

    Raises:
        UserError: flags that do not go together, or whatever stops the work.
    """
    _check(options)
    if options.verify:
        results = _verify(options)
    elif options.dataset == "synthetic":
        results = prepare_synthetic(
            options.layout,
            options.identities,
            options.seed,
            options.data_dir,
            trial=options.trial,
            progress=True,
        )
    elif _is_own(options.dataset):
        results = prepare_own(
            options.source,
            options.data_dir,
            split_by_identity=options.split_by_identity,
            seed=options.seed,
            progress=True,
        )
    else:
        results = prepare(
            options.dataset,
            options.source,
            options.data_dir,
            trial=options.trial,
            unofficial=options.unofficial,
            progress=True,
        )
    for result in results:
        print(
            f"{result.path}: verified, every hash is right" if options.verify else result.summary()
        )


def _check(options: Any) -> None:
    problems = []
    allowed = (*DATASETS, "synthetic")
    if options.dataset not in allowed:
        text = f"--dataset={options.dataset}: choose one of {', '.join(allowed)}"
        problems.append(Problem("--dataset", text))
    if not options.data_dir:
        text = "--data_dir is missing: the folder for prepared data sets"
        problems.append(Problem("--data_dir", text))
    if options.dataset == "synthetic" and options.source:
        text = "--source does not go with --dataset=synthetic, which renders its own images"
        problems.append(Problem("--source", text))
    if not _is_own(options.dataset) and options.split_by_identity is not None:
        text = f"--split_by_identity does not go with --dataset={options.dataset}"
        problems.append(Problem("--split_by_identity", text))
    if problems:
        raise UserError.listing("nothing was done:", problems)


def _is_own(name: str) -> bool:
    """Return whether the user's own list takes the place of a layout."""
    return name in DATASETS and DATASETS[name].inspect is None


def _verify(options: Any) -> list:
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
