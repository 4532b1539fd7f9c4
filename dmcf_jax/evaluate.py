"""Evaluation of a run by named protocols: embed the test split once, score, write, show."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dmcf_jax.config.build import load_split
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.evaluate_protocol import evaluate_protocols
from dmcf_jax.evaluation.expected import check_against, write_record
from dmcf_jax.evaluation.nearest import nearest
from dmcf_jax.evaluation.permutations import Permutations, find_permutations
from dmcf_jax.evaluation.protocols import Protocol, find_protocol, list_protocols
from dmcf_jax.evaluation.ranking.query_expansion import QueryExpansion
from dmcf_jax.evaluation.ranking.reranking import KReciprocal
from dmcf_jax.evaluation.results import markdown_table, pool_trials, result_as_dict
from dmcf_jax.evaluation.verification_table import verification_table
from dmcf_jax.export.hub.read import is_shared_source, open_shared, refuse_checkpoint
from dmcf_jax.methods import METHODS
from dmcf_jax.reports.write import write_report
from dmcf_jax.runs.data_record import (
    metadata_of,
    read_record,
    refuse_changed_test,
    trained_and_tested,
)
from dmcf_jax.runs.load import TrainedModel, load_trained
from dmcf_jax.runs.other_data import OWN_DATA, DataChoice
from dmcf_jax.runs.summary import read_summary, summary_lines
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.console import log, progress
from dmcf_jax.runtime.files import write_atomically
from dmcf_jax.runtime.paths import local_path
from dmcf_jax.training.start import is_packaged, packaged_model
from dmcf_jax.weights.synthetic import DATA as PACKAGED_DATA


def evaluate(
    workdir: str | Path,
    protocol_names: Sequence[str] = (),
    *,
    out: str | Path | None = None,
    step: int | None = None,
    best: bool = False,
    permutations_path: str | None = None,
    flip: bool | None = None,
    reranking: bool = False,
    query_expansion: bool = False,
    html: str | None = None,
    data: DataChoice = OWN_DATA,
    verification: bool = True,
) -> list[dict]:
    """Evaluate a run and return its results, one dictionary for each protocol.

    They are also written to `<workdir>/evaluation/<protocol>.json` with a Markdown table and the
    CMC curve as CSV and figure.

    Args:
        workdir: of the run; or a model that is no run: a folder of `dmcf export --format=hub`,
            hf://owner/name, or 'synthetic'. Results of such a model are written to `out` only.
        protocol_names: see `list_protocols`; by default the usual ones of the run's data set,
            'all' for every one of it between the modalities.
        out: folder for the results instead of the run's.
        step, best: which checkpoint, see `load_trained`.
        permutations_path: `rand_perm_cam.mat`, if it is not in the data set's `exp` folder.
        flip: average over mirror images; None takes the config's setting.
        reranking, query_expansion: post-processing, named in the result.
        html: file for a page with metrics, curves, best and worst queries and errors by camera.
        data: to test on; by default the run's own, which must be those it was trained with.
        verification: verify all pairs, too; with post-processing there is no verification.

    Raises:
        UserError: for an unknown protocol, one of another data set, a missing file or run, or data
            that have changed since the run was trained.
    """
    trained, known = _load(workdir, step, best)
    trained = dataclasses.replace(trained, config=data.apply(trained.config))
    protocols = choose_protocols(trained.config.data.name, protocol_names)
    _refuse_within(trained.config.method.name, protocols)
    metadata = dataset_metadata(trained)
    permutations = None
    if any(protocol.needs_permutations for protocol in protocols):
        permutations = find_permutations(metadata["source"], permutations_path)
    store = load_split(trained.config, ("test",), trained.wide_range)
    chosen = data.given or known is PACKAGED_DATA
    other = _compare_data(workdir, known, metadata, store.identity.tolist(), chosen)
    embeddings = embed_split(trained, store, flip)
    results = score(
        trained,
        store,
        embeddings,
        protocols,
        metadata,
        permutations=permutations,
        flip=trained.config.evaluation.flip if flip is None else flip,
        reranking=KReciprocal() if reranking else None,
        query_expansion=QueryExpansion() if query_expansion else None,
        about_data=other,
        verification=verification,
    )
    if hosts.is_first():
        for result in results:
            if folder := _folder_of(result, workdir, out):
                log(f"wrote {write_report(result, folder)[0]}")
        for note in dict.fromkeys(note for result in results for note in result["notes"]):
            log(f"NOTE: {note}")
        for line in summary_lines(read_summary(workdir) if _is_run(workdir) else None):
            log(f"training: {line}")
        if html:
            lists = [nearest(p, embeddings, store, permutations=permutations) for p in protocols]
            _write_page(html, results, lists, store, metadata, str(workdir))
    return results


def _is_run(source: str | Path) -> bool:
    return not is_shared_source(source) and not is_packaged(source)


def _load(
    source: str | Path, step: int | None, best: bool
) -> tuple[TrainedModel, Mapping[str, Any] | None]:
    """Return a model and what it knows of the data that it was trained with."""
    if is_shared_source(source):
        shared = open_shared(source, step, best)
        return shared.trained, shared.metrics["trained_on"]
    if is_packaged(source):
        refuse_checkpoint(source, step, best)
        return packaged_model(), PACKAGED_DATA
    return load_trained(source, step, best), read_record(source)


def _folder_of(
    result: Mapping[str, Any], source: str | Path, out: str | Path | None
) -> Path | None:
    """Return where a result is written: one of other data leaves the run's own as it is."""
    if out or not _is_run(source):
        return Path(out) if out else None
    data, folder = result["data"], local_path(source) / "evaluation"
    if "trained_on" not in data:
        return folder
    return folder / f"on_{data['dataset']}_{data['source_sha256'][:12]}"


def _compare_data(
    source: str | Path,
    known: Mapping[str, Any] | None,
    metadata: dict[str, Any],
    people: Sequence[int],
    chosen: bool,
) -> dict[str, Any]:
    """Return what a result says of data that are not those the run was trained with.

    Args:
        people: identities of the test images.
        chosen: other data were asked for; otherwise changed data are refused.
    """
    if not chosen:
        refuse_changed_test(source, known, metadata, people)
        return {}
    if known is None or known["records_sha256"] == metadata["records_sha256"]:
        return {}
    said = {name: known[name] for name in ("dataset", "trial", "records_sha256")}
    if "classes" not in known:  # a model that does not name its people
        return {"trained_on": said}
    both = trained_and_tested(known, metadata, people)
    if both and known["dataset"] == metadata["dataset"]:
        log(f"NOTE: {len(both)} tested people have the names of people that were trained on.")
    return {"trained_on": said, "trained_and_tested": len(both)}


def _write_page(html, results, lists, store, metadata, source):
    from dmcf_jax.reports.html.evaluation_page import Names, evaluation_page

    names = Names(metadata.get("identity_names", {}), metadata.get("camera_names", {}))
    write_atomically(Path(html), evaluation_page(results, lists, store, names, source))
    log(f"wrote {html}")


def dataset_metadata(trained: TrainedModel) -> dict[str, Any]:
    """Return the metadata of the prepared data set that a run was trained on."""
    return metadata_of(trained.config)


def choose_protocols(dataset: str, names: Sequence[str]) -> list[Protocol]:
    """Return the protocols called `names`; by default the usual ones of the data set.

    Raises:
        UserError: for an unknown name or a protocol of another data set.
    """
    if list(names) == ["all"]:
        own = [protocol for protocol in list_protocols() if protocol.dataset == dataset]
        return own or [p for p in list_protocols() if not (p.dataset or p.within)]
    protocols = [find_protocol(name) for name in names or DATASETS[dataset].protocols]
    others = [p.name for p in protocols if p.dataset not in ("", dataset)]
    if others:
        usable = ", ".join(p.name for p in list_protocols() if p.dataset in ("", dataset))
        raise UserError.listing(
            f"these protocols are not for the data set of this run, {dataset}:",
            [Problem(name, name) for name in others],
            f"Use: {usable}",
        )
    return protocols


def _refuse_within(method: str, protocols: Sequence[Protocol]) -> None:
    within = [Problem("--protocol", p.name) for p in protocols if p.within]
    if within and METHODS[method].across_only:
        raise UserError.listing(
            f"{method} compares visible with infrared images only, so that these protocols within "
            "one modality say nothing of it:",
            within,
        )


def embed_split(
    trained: TrainedModel, store: ImageStore, flip: bool | None
) -> Float[np.ndarray, "n d"]:
    """Return the embeddings of a split [n d], with progress on the console."""
    with progress("embedding batches") as update:
        return trained.embed(store, flip, update)


def score(
    trained: TrainedModel,
    store: ImageStore,
    embeddings: Float[np.ndarray, "n d"],
    protocols: Sequence[Protocol],
    metadata: dict[str, Any] | None = None,
    *,
    permutations: Permutations | None = None,
    flip: bool = False,
    reranking: KReciprocal | None = None,
    query_expansion: QueryExpansion | None = None,
    about_data: Mapping[str, Any] | None = None,
    verification: bool = True,
) -> list[dict]:
    """Return a result dictionary for each protocol, with the metadata of model and data.

    Args:
        metadata: of the data set, read from the run's if None.
        about_data: what else the results say of the data.
        verification: verify all pairs, too; see `evaluate_protocols`.
    """
    data = trained.config.data
    metadata = metadata or dataset_metadata(trained)
    results = evaluate_protocols(
        protocols,
        embeddings,
        store,
        permutations=permutations,
        first_trial=DATASETS[data.name].trial(data.trial) or 0,
        reranking=reranking,
        query_expansion=query_expansion,
        options=("flip",) if flip else (),
        verification=verification,
    )
    known = ("dataset", "official", "counts", "source_sha256", "records_sha256")
    published = DATASETS[data.name].published is not None
    facts = {key: metadata[key] for key in known}
    facts |= {"unofficial": published and not metadata["official"], **(about_data or {})}
    return [
        result_as_dict(
            result, step=trained.step, chosen_by=trained.chosen_by, extra={"data": facts}
        )
        for result in results
    ]


def pool(workdirs: Sequence[str | Path], protocol_names: Sequence[str], out: Path) -> list[dict]:
    """Average finished RegDB trials, one run each, and write the pooled results.

    Args:
        workdirs: runs that were evaluated.
        protocol_names: by default the usual ones of RegDB.
        out: folder for the pooled results.

    Raises:
        UserError: runs that were not evaluated, or not in the same way.
    """
    pooled = []
    for protocol in choose_protocols("regdb", protocol_names):
        files = [Path(workdir) / "evaluation" / f"{protocol.name}.json" for workdir in workdirs]
        missing = [Problem(str(file), f"{file} is missing") for file in files if not file.exists()]
        if missing:
            raise UserError.listing(
                "these runs are not evaluated:", missing, "Run dmcf evaluate on each first."
            )
        pooled.append(pool_trials([str(file) for file in files]))
        log(f"wrote {write_report(pooled[-1], out)[0]}")
    return pooled


def show(results: Sequence[dict]) -> None:
    """Print the results as Markdown tables on stdout; of several processes the first does."""
    if hosts.is_first():
        print(markdown_table(results))
        if verified := verification_table(results):
            print(verified)


def compare(
    results: Sequence[dict],
    expect: str | None,
    record: str | None,
    tolerance: float | None = None,
) -> None:
    """Compare the results with the record in the file `expect`, or write one to `record`.

    Raises:
        UserError: they differ by more than `tolerance`, or both files are named.
    """
    if expect and record:
        raise UserError("name --expect or --record, not both", about="--expect")
    if not hosts.is_first():
        return
    if record:
        write_record(record, results, tolerance)
        log(f"wrote {record}")
    if expect:
        log(check_against(expect, results, tolerance))
