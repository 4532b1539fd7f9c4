"""Scores of embeddings that `dmcf embed` wrote, by the field's protocols."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.junk import JUNK
from dmcf_jax.evaluation.protocols import family_of
from dmcf_jax.evaluation.score import score_arrays
from dmcf_jax.retrieval.embedding_set import EmbeddingSet


def score_embeddings(
    query: str | Path,
    gallery: str | Path,
    protocol: str = "plain",
    *,
    metric: str = "cosine",
    max_rank: int = 20,
    verification: bool = True,
) -> dict:
    """Return what `evaluation.score.score` returns, for two folders of embeddings.

    Args:
        query, gallery: folders of one model, whose pictures have identities.
        protocol, metric, max_rank, verification: see there. Cameras are the numbers in their names.

    Raises:
        UserError: folders of different models, or pictures without identity.
    """
    sides = {"query": EmbeddingSet(query), "gallery": EmbeddingSet(gallery)}
    makers = [one.manifest["model"]["fingerprint"] for one in sides.values()]
    if makers[0] != makers[1]:
        text = f"--query={query} and --gallery={gallery} are of different models: embed one again"
        raise UserError(text, about="--gallery")
    labels = {side: list(one.labels(range(len(one))).values()) for side, one in sides.items()}
    _refuse_unknown(labels)
    names = sorted({label["identity"] for side in labels.values() for label in side})
    numbers = {name: number for number, name in enumerate(names)}
    if family_of(protocol) == "market1501" and str(JUNK) in numbers:
        numbers[str(JUNK)] = JUNK
    arrays = {}
    for side, one in sides.items():
        arrays[f"{side}_features"] = one.read()
        arrays[f"{side}_ids"] = np.array([numbers[label["identity"]] for label in labels[side]])
        cameras = _cameras([label["camera"] for label in labels[side]])
        arrays |= {} if cameras is None else {f"{side}_cameras": cameras}
    options = {"metric": metric, "max_rank": max_rank, "verification": verification}
    return score_arrays(arrays, protocol, **options)


def _refuse_unknown(labels: dict[str, list[dict[str, str]]]) -> None:
    problems = []
    for side, found in labels.items():
        unknown = [label["path"] for label in found if not label["identity"]]
        if unknown:
            text = f"--{side}: {len(unknown)} pictures have no identity, such as {unknown[0]}"
            problems.append(Problem(f"--{side}", text))
    if problems:
        cure = "Embed a folder of visible/<identity>/ and infrared/<identity>/, or a CSV file."
        raise UserError.listing("cannot score:", problems, cure)


def _cameras(names: Sequence[str]) -> np.ndarray | None:
    """Return the numbers at the end of cameras' names (c3, cam3, 3); None if one has none."""
    found = [re.search(r"(\d+)$", name) for name in names]
    numbers = [int(match[1]) for match in found if match]
    return np.array(numbers) if len(numbers) == len(names) else None
