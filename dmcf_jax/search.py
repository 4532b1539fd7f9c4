"""Search: load a model, embed queries and gallery, find the best matches, write JSON and a page.

For embeddings in memory, `rank` is the search alone.
"""

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.methods.network.two_streams import has_levels
from dmcf_jax.modality import MODALITIES
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.embedding_set import EmbeddingSet, is_embedding_set
from dmcf_jax.retrieval.galleries import Galleries
from dmcf_jax.retrieval.model import FeatureExtractor, batch_size, load_model
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.threshold import (
    Threshold,
    find_threshold,
    parse_threshold,
    threshold_line,
)
from dmcf_jax.retrieval.top_k import rank, top_k
from dmcf_jax.runtime.console import log, log_time
from dmcf_jax.runtime.files import write_atomically
from dmcf_jax.runtime.paths import local_path

__all__ = ["SearchOptions", "load_model", "rank", "run_search", "table", "top_k"]

TABLE_QUERIES, TABLE_ROWS = 10, 5


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """Query, gallery and outputs of a search; see the flags of dmcf search."""

    model: str
    gallery: str
    query: str
    top: int = 20
    query_modality: str | None = None
    gallery_modality: str | None = None
    gallery_root: str | None = None
    index: str | None = None
    index_options: str | None = None
    json: str | None = None
    html: str | None = None
    html_queries: int = 50
    explain: bool = False
    skip_bad: bool = False
    threshold: str | None = None


def run_search(options: SearchOptions) -> dict[str, Any]:
    """Search, write the files that `options` names and return the matches.

    Returns:
        `model`, `gallery`, `exact`, `queries_in_gallery` (how many find themselves) and `results`:
        for each query its labels and `matches`, best first, with rank, score, path, identity,
        camera and modality. With a threshold, also `threshold`; of each match whether it is
        `accepted`, of each query how many are.

    Raises:
        UserError: a missing model or picture, embeddings of different models, or pictures whose
            modality is not known or contradicted by their folders.
    """
    _check(options)
    model = load_model(options.model)
    if options.explain and model.trained is not None and not has_levels(model.trained.model):
        raise UserError(
            f"--explain shows what levels of a network add to a score; {options.model} is of the "
            f"method {model.trained.config.method.name}, whose score is no sum over levels",
            about="--explain",
        )
    if options.explain and model.trained is None:
        raise UserError(
            f"--explain needs the layers of the network: give the run's folder as --model, not "
            f"the export {options.model}",
            about="--model",
        )
    threshold = None if options.threshold is None else find_threshold(options.threshold, model)
    with ExitStack() as stack:

        def embeddings(source: str, modality: str | None, flag: str) -> EmbeddingSet:
            made = _embeddings_of(model, source, modality, flag, options.skip_bad)
            return stack.enter_context(made)

        queries = embeddings(options.query, options.query_modality, "--query")
        sets = [
            embeddings(source, options.gallery_modality, "--gallery")
            for source in sources(options.gallery)
        ]
        root = local_path(options.gallery_root, "--gallery_root") if options.gallery_root else None
        gallery = Galleries(sets, root)
        matches = _find(model, queries, gallery, options, threshold)
        if options.html:
            _write_page(model, matches, queries.root, gallery, options, Path(options.html))
    if options.json:
        write_atomically(Path(options.json), json.dumps(matches, indent=1) + "\n")
        log(f"wrote {options.json}")
    return matches


def sources(gallery: str) -> list[str]:
    """Return the galleries that '--gallery=A,B' names; a path may hold a comma itself."""
    if local_path(gallery, "--gallery").exists():
        return [gallery]
    return [name for name in gallery.split(",") if name]


def _check(options: SearchOptions) -> None:
    problems = []
    if options.top < 1:
        problems.append(Problem("--top", f"--top={options.top}: ask for at least one match"))
    for flag in ("query_modality", "gallery_modality"):
        value = getattr(options, flag)
        if value not in (None, *MODALITIES):
            text = f"--{flag}={value}: choose {' or '.join(MODALITIES)}"
            problems.append(Problem(f"--{flag}", text))
    if options.explain and not options.html:
        problems.append(Problem("--explain", "--explain draws into the page: add --html=FILE"))
    if options.gallery_root and not options.html and "," not in options.gallery:
        text = "--gallery_root says where the pictures of the page are: add --html=FILE"
        problems.append(Problem("--gallery_root", text))
    if options.threshold is not None:
        try:
            parse_threshold(options.threshold)
        except UserError as error:
            problems += error.problems
    if options.index_options and not options.index:
        text = "--index_options are options of a faiss index: add --index, such as IVF1024,Flat"
        problems.append(Problem("--index_options", text))
    if problems:
        raise UserError.listing("the search cannot start:", problems)


@contextmanager
def _embeddings_of(
    model: FeatureExtractor, source: str, modality: str | None, flag: str, skip_bad: bool
) -> Iterator[EmbeddingSet]:
    """Yield the embeddings in a folder, or of pictures: those are deleted at the end."""
    if is_embedding_set(source):
        embeddings = EmbeddingSet(source)
        embeddings.check_model(model, flag)
        embeddings.check_modality(modality, f"{flag}_modality")
        yield embeddings
        return
    images = list_images(source, modality, flag, f"{flag}_modality")
    with tempfile.TemporaryDirectory() as folder:
        yield embed_pictures(
            model,
            images,
            Path(folder) / "embeddings",
            skip_bad=skip_bad,
            at_once=batch_size(len(images.rows)),
            show=True,
        )


def _find(
    model: FeatureExtractor,
    queries: EmbeddingSet,
    gallery: Galleries,
    options: SearchOptions,
    threshold: Threshold | None,
) -> dict[str, Any]:
    vectors, quality = queries.read(), {}
    with log_time(f"searching {len(gallery)} gallery pictures for {len(vectors)} queries"):
        if options.index:
            from dmcf_jax.retrieval.faiss_index import search_index

            found = search_index(
                gallery.alone(), vectors, options.top, options.index, options.index_options
            )
            scores, rows = found.scores, found.rows
            quality = {"options": options.index_options, "share_of_exact": found.share}
            quality["queries_with_fewer"] = found.short
        else:
            scores, rows = top_k(vectors, gallery.blocks(), options.top)
    names = gallery.labels(int(row) for row in set(rows.reshape(-1).tolist()) if row >= 0)
    results: list[dict[str, Any]] = [
        labels | {"matches": _matches(scores[number], rows[number], names)}
        for number, labels in queries.labels(range(len(vectors))).items()
    ]
    if model.across_only:
        _refuse_one_modality(results, model.source)
    if themselves := queries_in_gallery(results, queries.root, gallery.root):
        log(f"NOTE: {themselves} of {len(results)} queries are in the gallery and find themselves.")
    marked = {"threshold": threshold.mark(results)} if threshold else {}
    for match in (match for result in results for match in result["matches"]):
        match["score"] = round(match["score"], 6)
    return {
        "model": {"source": model.source, "fingerprint": model.fingerprint},
        "gallery": {"source": options.gallery, "pictures": len(gallery)},
        "exact": not options.index,
        "queries_in_gallery": themselves,
        **marked,
        **({"index": {"factory": options.index, **quality}} if options.index else {}),
        "results": results,
    }


def queries_in_gallery(results: list[dict[str, Any]], query_root: Path, gallery_root: Path) -> int:
    """Return how many queries have themselves, the same file, among their matches.

    Args:
        results: of a search.
        query_root, gallery_root: the folders that their paths start from.
    """
    return sum(
        any(gallery_root / match["path"] == query_root / result["path"] for match in matches)
        for result in results
        if (matches := result["matches"])
    )


def _refuse_one_modality(results: list[dict[str, Any]], source: str) -> None:
    """Refuse matches that a score between the modalities says nothing about."""
    within = [
        result["path"]
        for result in results
        if any(match["modality"] == result["modality"] for match in result["matches"])
    ]
    if within:
        raise UserError(
            f"--gallery holds pictures of the queries' own modality, such as matches of "
            f"{within[0]}; {source} compares visible with infrared pictures only. Search in a "
            "gallery of the other modality",
            about="--gallery",
        )


def _matches(
    scores: Float[np.ndarray, " k"],
    rows: Int[np.ndarray, " k"],
    names: dict[int, dict[str, str]],
) -> list[dict[str, Any]]:
    return [
        {"rank": rank, "score": float(score), **names[int(row)]}
        for rank, (score, row) in enumerate(zip(scores, rows, strict=True), 1)
        if row >= 0  # an index may find fewer
    ]


def _write_page(
    model: FeatureExtractor,
    found: dict[str, Any],
    query_root: Path,
    gallery: Galleries,
    options: SearchOptions,
    file: Path,
) -> None:
    from dmcf_jax.reports.html.search_page import search_page

    gallery_root = gallery.root
    shown = found | {"results": found["results"][: options.html_queries]}
    explanations = None
    if options.explain:
        from dmcf_jax.retrieval.explain import explain_best

        explanations = explain_best(model, shown["results"], query_root, gallery_root)
        if without := sum(one is None for one in explanations):
            log(f"NOTE: {without} queries are not explained: a picture cannot be read.")
    page = search_page(
        shown, query_root, gallery_root, len(found["results"]), explanations=explanations
    )
    write_atomically(file, page)
    log(f"wrote {options.html}")
    matches = [match for result in shown["results"] for match in result["matches"]]
    if missing := gallery.missing(matches):
        log(
            f"NOTE: {len(missing)} pictures of the gallery are not found and left blank in the "
            f"page, such as {missing[0]}. If they were moved: --gallery_root=FOLDER"
        )


def table(found: dict[str, Any]) -> str:
    """Return the first matches of the first queries as a Markdown table.

    With a threshold it says which are accepted, and 'nobody' for a query without such a match.
    """
    marked = "threshold" in found
    lines = [
        "| query | rank | score | match | identity | camera |" + " accepted |" * marked,
        "| :-- | --: | --: | :-- | :-- | :-- |" + " :-- |" * marked,
    ]
    for result in found["results"][:TABLE_QUERIES]:
        if marked and not result["accepted"]:
            lines.append(_line([result["path"], "", "", "nobody", "", "", ""]))
        for match in result["matches"][:TABLE_ROWS]:
            cells = [result["path"], str(match["rank"]), f"{match['score']:.4f}", match["path"]]
            cells += [match["identity"], match["camera"]]
            cells += ["yes" if match["accepted"] else "no"] if marked else []
            lines.append(_line(cells))
    left = len(found["results"]) - TABLE_QUERIES
    if left > 0:
        lines.append(f"\n{left} more queries: see --json or --html.")
    return "\n".join([*lines, *([f"\n{threshold_line(found)}"] if marked else [])])


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
