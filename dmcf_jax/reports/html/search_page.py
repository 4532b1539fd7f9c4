"""The page of a search: queries, ranked pictures, scores, and labels where they are known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmcf_jax.reports.html.page import (
    camera_filter,
    document,
    labels,
    match_figure,
    picture,
    picture_of_file,
    query_card,
    soft,
    text,
)
from dmcf_jax.retrieval.explain import Explanation
from dmcf_jax.retrieval.threshold import threshold_line


def search_page(
    found: Mapping[str, Any],
    query_root: Path,
    gallery_root: Path,
    queries: int | None = None,
    *,
    explanations: Sequence[Explanation | None] | None = None,
) -> str:
    """Return one self-contained HTML page.

    Args:
        found: what `run_search` returns, or its first results.
        query_root, gallery_root: folders that the paths in `found` start from.
        queries: number of all queries, if only some are shown.
        explanations: of each query's best match.
    """
    results = found["results"]
    cameras = {match["camera"] for result in results for match in result["matches"]}
    cameras_shown = camera_filter(sorted(cameras, key=_by_number))
    about = about_search(found, len(results) if queries is None else queries)
    cards = query_cards(found, query_root, gallery_root, explanations)
    return document("Search results", about + cameras_shown + cards)


def query_cards(
    found: Mapping[str, Any],
    query_root: Path,
    gallery_root: Path,
    explanations: Sequence[Explanation | None] | None = None,
) -> str:
    """Return the HTML of each query with its matches; see `search_page` for the arguments."""
    results = found["results"]
    explanations = explanations or [None] * len(results)
    return "".join(
        _card(f"Query {number}", result, query_root, gallery_root, explanation)
        for number, (result, explanation) in enumerate(zip(results, explanations, strict=True), 1)
    )


def about_search(found: Mapping[str, Any], total: int) -> str:
    """Return the lines about gallery, scores and model; `total` counts all queries."""
    shown, gallery, model = len(found["results"]), found["gallery"], found["model"]
    kind = "exact" if found["exact"] else _approximate(found.get("index", {}))
    lines = [
        f"{shown} of {total} queries, searched in {gallery['pictures']} pictures of "
        f"{gallery['source']} ({kind}). Scores are cosine similarities between -1 and 1.",
        f"Model: {model['source']}, fingerprint {model['fingerprint'][:12]}",
    ]
    if "threshold" in found:
        lines.append(f"{threshold_line(found)} Matches below it are pale.")
    if any(_is_right(r, m) is not None for r in found["results"] for m in r["matches"]):
        lines.append("✓ same person as the query, ✗ different person.")
    return soft(lines)


def _approximate(index: Mapping[str, Any]) -> str:
    if "share_of_exact" not in index:
        return "approximate (index)"
    share = f"{100 * index['share_of_exact']:.1f} % of the exact matches of a sample"
    return f"approximate, index {index['factory']}, which finds {share}"


def _by_number(name: str) -> tuple[int, str]:
    """Return a sorting key that puts camera 2 before camera 10, and both before names."""
    return (int(name), "") if name.isascii() and name.isdecimal() else (10**9, name)


def _card(
    title: str,
    result: Mapping[str, Any],
    query_root: Path,
    gallery_root: Path,
    explanation: Explanation | None,
) -> str:
    figures = "".join(
        match_figure(
            picture_of_file(gallery_root / match["path"], match["path"]),
            match["rank"],
            [f"{match['score']:.3f}", *labels(match["identity"], match["camera"]), match["path"]],
            camera=match["camera"],
            right=_is_right(result, match),
            pale=not match.get("accepted", True),
        )
        for match in result["matches"]
    )
    if result.get("accepted") == 0:
        title += ": nobody"
    query = picture_of_file(query_root / result["path"], result["path"])
    caption = [result["modality"], *labels(result["identity"], result["camera"]), result["path"]]
    more = _explained(explanation) if explanation else ""
    return query_card(title, query, caption, figures, more)


def _is_right(query: Mapping[str, Any], match: Mapping[str, Any]) -> bool | None:
    """Return whether a match shows the query's person; None if either is unknown."""
    if not query["identity"] or not match["identity"]:
        return None
    return query["identity"] == match["identity"]


def _explained(explanation: Explanation) -> str:
    levels = "".join(
        f'<div><div class="pair"><figure>{picture(level.query, "query")}</figure>'
        f"<figure>{picture(level.match, 'best match')}</figure></div>"
        f'<p class="soft">{text(level.name)}: {level.share:+.3f} of the score</p></div>'
        for level in explanation.levels
    )
    return (
        f"<details><summary>Why the best match scored {explanation.score:.3f}</summary>"
        '<p class="soft">Query (left) and best match (right) at each level of the network. '
        "The brighter a region, the more it added to the score.</p>"
        f'<div class="levels">{levels}</div></details>'
    )
