"""What `scripts/prepare_data.py` does with its flags."""

from typing import Any

from dmcf_jax.data.datasets.own_table import root_of
from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.data.records.prepare_own import prepare_own
from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic, synthetic_source
from dmcf_jax.data.records.prepared import NAMES
from dmcf_jax.errors import UserError


def run(options: Any) -> None:
    """Prepare or verify as the flags in `options` say, and print a line for each result.

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
    elif options.dataset == "own":
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
    allowed = (*NAMES, "synthetic")
    if options.dataset not in allowed:
        problems.append(f"--dataset={options.dataset}: choose one of {', '.join(allowed)}")
    if not options.data_dir:
        problems.append("--data_dir is missing: say where prepared data sets shall live")
    if options.dataset == "synthetic" and options.source:
        problems.append("--source does not go with --dataset=synthetic, which makes its own")
    if options.dataset != "own" and options.split_by_identity is not None:
        problems.append(f"--split_by_identity does not go with --dataset={options.dataset}")
    if problems:
        raise UserError.listing("nothing was done:", problems)


def _verify(options: Any) -> list:
    from dmcf_jax.data.records.verify_records import verify_prepared

    dataset, source = options.dataset, options.source
    if dataset == "synthetic":
        dataset = options.layout
        source = synthetic_source(
            options.layout, options.identities, options.seed, options.data_dir
        )
    if dataset == "own" and source:
        source = root_of(source)
    return verify_prepared(
        dataset, options.data_dir, trial=options.trial, source=source, progress=True
    )
