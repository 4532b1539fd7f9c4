"""Thresholds for a search: the scores above which few pairs of two people are accepted.

They are measured on people that the model was not trained on, apart for pairs across the modalities
and for pairs within each, whose scores differ. A pair of an image with itself does not count.
"""

from typing import Any, TypeGuard

import numpy as np
from jaxtyping import Float

from dmcf_jax.evaluation.galleries import Metadata
from dmcf_jax.evaluation.verification import verify_queries
from dmcf_jax.modality import INFRARED, VISIBLE

RATES = (1e-2, 1e-3, 1e-4)  # FPRs
HELD_OUT, TESTED = GROUPS = ("held-out people", "test people")  # whom they are measured on
LARGEST = 1.001  # of a cosine, which may be rounded, or a share
ACROSS = "across modalities"
KINDS = {
    ACROSS: (VISIBLE, INFRARED),
    "within visible": (VISIBLE, VISIBLE),
    "within infrared": (INFRARED, INFRARED),
}


def kind_of(first: str, second: str) -> str:
    """Return the key of `KINDS` for pictures of two modalities, by name."""
    return ACROSS if first != second else f"within {first}"


def measure_thresholds(
    embeddings: Float[np.ndarray, "n d"], metadata: Metadata, across_only: bool = False
) -> dict[str, Any]:
    """Return thresholds by kind of pair and FPR.

    Args:
        embeddings: of unit length, rows in the order of `metadata`.
        across_only: pairs within a modality have no score that means anything.

    Returns:
        `people`, their number, and `pairs`: for each of `KINDS` the number of pairs of the same
        and of different people, and `thresholds`: by FPR, as text, `score` and `tpr`. An FPR that
        fewer pairs than 1 / FPR would have to show is left out.
    """
    chosen = {name: kinds for name, kinds in KINDS.items() if name == ACROSS or not across_only}
    return {
        "people": len(np.unique(metadata.identity)),
        "pairs": {name: _measure(embeddings, metadata, *kinds) for name, kinds in chosen.items()},
    }


def _measure(embeddings: np.ndarray, metadata: Metadata, first: int, second: int) -> dict[str, Any]:
    identity, modality = np.asarray(metadata.identity), np.asarray(metadata.modality)
    sides = [np.flatnonzero(modality == number) for number in (first, second)]
    if not all(map(len, sides)):
        return {"same_person_pairs": 0, "different_person_pairs": 0, "thresholds": {}}
    # Rows in place of cameras: the rule leaves out an image's pair with itself, and no other.
    labels = [values[rows] for values in (identity, np.arange(len(identity))) for rows in sides]
    found = verify_queries(
        *(embeddings[rows] for rows in sides), *labels, ignore="same-identity-same-camera"
    ).roc
    orders = 2 if first == second else 1  # a pair within a modality was counted both ways round
    same, different = found.same // orders, found.different // orders
    shown = [rate for rate in RATES if found.points and rate * different >= 1]
    points = {f"{rate:g}": found.points[rate] for rate in shown}
    return {
        "same_person_pairs": same,
        "different_person_pairs": different,
        "thresholds": {
            rate: {"score": point.threshold, "tpr": point.tpr} for rate, point in points.items()
        },
    }


def is_thresholds(value: Any) -> bool:
    """Return whether a value that anybody may have written has the form of recorded thresholds.

    Args:
        value: as JSON gave it; None, which stands for no thresholds, is accepted.
    """
    if value is None:
        return True
    if not isinstance(value, dict) or value.get("group") not in GROUPS:
        return False
    pairs = value.get("pairs")
    if not isinstance(pairs, dict) or not set(pairs) <= set(KINDS):
        return False
    complete = ACROSS in pairs or not pairs
    return complete and type(value.get("people")) is int and all(map(_is_kind, pairs.values()))


def _is_kind(value: Any) -> bool:
    found = value.get("thresholds") if isinstance(value, dict) else None
    names = {f"{rate:g}" for rate in RATES}
    return isinstance(found, dict) and set(found) <= names and all(map(_is_point, found.values()))


def _is_point(value: Any) -> bool:
    numbers = [value.get("score"), value.get("tpr")] if isinstance(value, dict) else [None]
    return all(_is_number(number) and abs(number) <= LARGEST for number in numbers)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def threshold_lines(thresholds: dict[str, Any] | None) -> list[str]:
    """Return what a user should know of recorded thresholds, a sentence a line.

    Args:
        thresholds: what `measure_thresholds` returned, with `group`, who the people are, and no
            `pairs` where embeddings could not be compared; None where nobody was held out.
    """
    if thresholds is None:
        return ["no thresholds for a search: nobody was held out (train.eval_every)"]
    about = f"thresholds of pairs {ACROSS} on {thresholds['people']} {thresholds['group']}: "
    if not thresholds["pairs"]:
        return [f"{about}none (embeddings of length 0)"]
    scores = [
        f"{one['score']:.4f} at FPR {rate} (TPR {100 * one['tpr']:.1f} %)"
        for rate, one in thresholds["pairs"][ACROSS]["thresholds"].items()
    ]
    return [about + (", ".join(scores) or "none, there are too few pairs of different people")]
