"""What dmcf search does: find, show a table, write JSON and a page."""

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dmcf_jax.errors import UserError
from dmcf_jax.modality import MODALITIES
from dmcf_jax.retrieval.embed_pictures import embed_files
from dmcf_jax.retrieval.embedding_set import EmbeddingSet, is_embeddings
from dmcf_jax.retrieval.model import LoadedModel, load_model
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.top_k import top_k
from dmcf_jax.runtime.console import log, log_time
from dmcf_jax.runtime.files import write_atomically

TABLE_QUERIES, TABLE_ROWS = 10, 5


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """What is searched for what; see the flags of dmcf search."""

    model: str
    gallery: str
    query: str
    top: int = 20
    query_modality: str | None = None
    gallery_modality: str | None = None
    index: str | None = None
    json: str | None = None
    html: str | None = None
    html_queries: int = 50
    explain: bool = False
    skip_bad: bool = False


def run_search(options: SearchOptions) -> dict[str, Any]:
    """Search, write the files that `options` names and return what was found.

    The dictionary has `model`, `gallery`, `exact` and `results`: for each query its labels and
    `matches`, best first, with rank, score, path, identity, camera and modality.

    Raises:
        UserError: for a missing model or picture, embeddings of different models, and pictures
            whose modality is not known.
    """
    _check(options)
    model = load_model(options.model)
    if options.explain and model.trained is None:
        raise UserError(
            f"--explain needs the inside of the network: give the run's folder as --model, not "
            f"the export {options.model}"
        )
    with ExitStack() as stack:
        queries, gallery = (
            stack.enter_context(_opened(model, source, modality, flag, options.skip_bad))
            for source, modality, flag in (
                (options.query, options.query_modality, "--query"),
                (options.gallery, options.gallery_modality, "--gallery"),
            )
        )
        found = _find(model, queries, gallery, options)
        if options.html:
            _write_page(model, found, queries.root, gallery.root, options)
    if options.json:
        write_atomically(Path(options.json), json.dumps(found, indent=1) + "\n")
        log(f"wrote {options.json}")
    return found


def _check(options: SearchOptions) -> None:
    problems = [] if options.top >= 1 else [f"--top={options.top}: ask for at least one match"]
    for flag in ("query_modality", "gallery_modality"):
        value = getattr(options, flag)
        if value not in (None, *MODALITIES):
            problems.append(f"--{flag}={value}: say {' or '.join(MODALITIES)}")
    if options.explain and not options.html:
        problems.append("--explain draws into the page: add --html=FILE")
    if problems:
        raise UserError.listing("nothing was searched:", problems)


@contextmanager
def _opened(
    model: LoadedModel, source: str, modality: str | None, flag: str, skip_bad: bool
) -> Iterator[EmbeddingSet]:
    """Give finished embeddings, or those of pictures, made now and dropped at the end."""
    if is_embeddings(source):
        found = EmbeddingSet(source)
        found.check_model(model, flag)
        yield found
        return
    images = list_images(source, modality, flag, f"{flag}_modality")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "embeddings"
        yield embed_files(model, images, out, skip_bad=skip_bad, show=True)


def _find(
    model: LoadedModel, queries: EmbeddingSet, gallery: EmbeddingSet, options: SearchOptions
) -> dict[str, Any]:
    wanted = queries.read()
    with log_time(f"searching {len(gallery)} gallery pictures for {len(wanted)} queries"):
        if options.index:
            from dmcf_jax.retrieval.faiss_index import index_top_k

            scores, rows = index_top_k(gallery, wanted, options.top, options.index)
        else:
            scores, rows = top_k(wanted, gallery.blocks(), options.top)
    names = gallery.labels(int(row) for row in set(rows.reshape(-1).tolist()) if row >= 0)
    results = [
        labels | {"matches": _matches(scores[number], rows[number], names)}
        for number, labels in queries.labels(range(len(wanted))).items()
    ]
    return {
        "model": {"source": model.source, "fingerprint": model.fingerprint},
        "gallery": {"source": options.gallery, "pictures": len(gallery)},
        "exact": not options.index,
        "results": results,
    }


def _matches(scores, rows, names) -> list[dict[str, Any]]:
    return [
        {"rank": rank, "score": round(float(score), 6), **names[int(row)]}
        for rank, (score, row) in enumerate(zip(scores, rows, strict=True), 1)
        if row >= 0  # an index may find fewer
    ]


def _write_page(
    model: LoadedModel,
    found: dict[str, Any],
    query_root: Path,
    gallery_root: Path,
    options: SearchOptions,
) -> None:
    from dmcf_jax.reports.html.search_page import search_page

    shown = found | {"results": found["results"][: options.html_queries]}
    explanations = None
    if options.explain:
        from dmcf_jax.retrieval.explain import explain_best

        explanations = explain_best(model, shown["results"], query_root, gallery_root)
    page = search_page(
        shown, query_root, gallery_root, len(found["results"]), explanations=explanations
    )
    write_atomically(Path(options.html), page)
    log(f"wrote {options.html}")


def table(found: dict[str, Any]) -> str:
    """Return the first matches of the first queries as a Markdown table."""
    lines = [
        "| query | rank | score | match | identity | camera |",
        "| :-- | --: | --: | :-- | :-- | :-- |",
    ]
    for result in found["results"][:TABLE_QUERIES]:
        for match in result["matches"][:TABLE_ROWS]:
            cells = [result["path"], str(match["rank"]), f"{match['score']:.4f}", match["path"]]
            cells += [match["identity"], match["camera"]]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    left = len(found["results"]) - TABLE_QUERIES
    if left > 0:
        lines.append(f"\n{left} more queries: see --json or --html.")
    return "\n".join(lines)
