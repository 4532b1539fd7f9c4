"""The page of a search: queries, ranked pictures, scores, what is known of them."""

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
    text,
)
from dmcf_jax.retrieval.explain import Explanation


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
        queries: how many there were, where only some are shown.
        explanations: of each query's best match.
    """
    results = found["results"]
    reasons = explanations or [None] * len(results)
    cards = [
        _card(f"Query {number}", result, query_root, gallery_root, reason)
        for number, (result, reason) in enumerate(zip(results, reasons, strict=True), 1)
    ]
    cameras = {match["camera"] for result in results for match in result["matches"]}
    total = len(results) if queries is None else queries
    return document(
        "Search results",
        _facts(found, total) + camera_filter(sorted(cameras, key=_natural)) + "".join(cards),
    )


def _facts(found: Mapping[str, Any], total: int) -> str:
    shown, gallery, model = len(found["results"]), found["gallery"], found["model"]
    kind = "exact" if found["exact"] else "approximate (index)"
    lines = [
        f"{shown} of {total} queries in {gallery['pictures']} pictures of {gallery['source']}, "
        f"{kind}. Scores are cosines, -1 to 1.",
        f"Model {model['source']}, fingerprint {model['fingerprint'][:12]}",
    ]
    if any(_is_right(r, m) is not None for r in found["results"] for m in r["matches"]):
        lines.append("✓ is the query's person, ✗ somebody else.")
    return "".join(f'<p class="soft">{text(line)}</p>' for line in lines)


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isascii() and name.isdecimal() else (10**9, name)


def _card(
    title: str,
    result: Mapping[str, Any],
    query_root: Path,
    gallery_root: Path,
    reason: Explanation | None,
) -> str:
    matches = "".join(
        match_figure(
            picture_of_file(gallery_root / match["path"], match["path"]),
            match["rank"],
            [f"{match['score']:.3f}", *labels(match["identity"], match["camera"]), match["path"]],
            camera=match["camera"],
            right=_is_right(result, match),
        )
        for match in result["matches"]
    )
    asked = picture_of_file(query_root / result["path"], result["path"])
    caption = [result["modality"], *labels(result["identity"], result["camera"]), result["path"]]
    more = _explained(reason) if reason else ""
    return query_card(title, asked, caption, matches, more)


def _is_right(query: Mapping[str, Any], match: Mapping[str, Any]) -> bool | None:
    if not query["identity"] or not match["identity"]:
        return None
    return query["identity"] == match["identity"]


def _explained(reason: Explanation) -> str:
    levels = "".join(
        f'<div><div class="pair"><figure>{picture(level.query, "query")}</figure>'
        f"<figure>{picture(level.match, 'best match')}</figure></div>"
        f'<p class="soft">{text(level.name)}: {level.share:+.3f} of the score</p></div>'
        for level in reason.levels
    )
    return (
        f"<details><summary>What matched in the best match ({reason.score:.3f})</summary>"
        '<p class="soft">Query and match at each level of the network: the brighter, the more '
        f'that place gave to the score.</p><div class="levels">{levels}</div></details>'
    )
