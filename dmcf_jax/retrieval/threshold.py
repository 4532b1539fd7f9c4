"""The threshold of a search: which matches are accepted as the same person.

A run records thresholds on people that it was not trained on, see `evaluation/thresholds.py`. They
hold for pictures like theirs: other cameras, places or seasons shift the scores, and with a larger
gallery more of the accepted matches are wrong, since each picture is one more chance of an error.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.thresholds import KINDS, RATES, kind_of
from dmcf_jax.retrieval.model import FeatureExtractor

FLAG = "--threshold"


@dataclasses.dataclass(frozen=True)
class Threshold:
    """Scores from which on a match is accepted.

    Attributes:
        scores: by kind of pair, a key of `KINDS`.
        basis: where they come from, for people.
    """

    scores: dict[str, float]
    basis: str

    def accepts(self, score: float, query_modality: str, modality: str) -> bool:
        """Return whether a match of pictures of these modalities is accepted.

        Raises:
            UserError: no threshold is known for such pairs.
        """
        kind = kind_of(query_modality, modality)
        if kind not in self.scores:
            raise UserError(
                f"{FLAG}: {self.basis}; none is recorded for pairs {kind}, which this gallery "
                f"holds. Give the score itself, such as {FLAG}=0.7",
                about=FLAG,
            )
        return score >= self.scores[kind]

    def mark(self, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Mark each match as `accepted` or not, count them for each query, and return the basis.

        Args:
            results: of a search, one dictionary for each query.

        Returns:
            `scores`, `basis`, and how many of the `queries` match `nobody`.
        """
        for result in results:
            for match in result["matches"]:
                modalities = result["modality"], match["modality"]
                match["accepted"] = self.accepts(match["score"], *modalities)
            result["accepted"] = sum(match["accepted"] for match in result["matches"])
        nobody = sum(not result["accepted"] for result in results)
        return dataclasses.asdict(self) | {"nobody": nobody, "queries": len(results)}


def find_threshold(text: str, model: FeatureExtractor) -> Threshold:
    """Return the threshold that a user asked for.

    Args:
        text: one of `RATES`, an FPR whose threshold the model's run recorded; or a score from -1
            to 1 itself.

    Raises:
        UserError: neither of them, or the run recorded no such threshold.
    """
    number = parse_threshold(text)
    if number not in RATES:
        return Threshold(dict.fromkeys(KINDS, number), f"the score {number:g}, as given")
    recorded = model.thresholds
    if recorded is None:
        raise UserError(
            f"{FLAG}={text} is an FPR, and {model.source} has no recorded threshold: its run held "
            "nobody out (--config.train.eval_every), was trained by an older version, or this is "
            f"another checkpoint than its last. Give the score itself, such as {FLAG}=0.7",
            about=FLAG,
        )
    scores = _scores(recorded["pairs"], f"{number:g}")
    people = f"{recorded['people']} {recorded['group']} of the model's run"
    if not scores:
        raise UserError(
            f"{FLAG}={text}: this FPR was not measured on {people} ({_known(recorded)}): it needs "
            f"{1 / number:g} pairs of different people, and embeddings that differ",
            about=FLAG,
        )
    return Threshold(scores, f"FPR {number:g} on {people}")


def parse_threshold(text: str) -> float:
    """Return the number.

    Raises:
        UserError: it is none from -1 to 1.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not -1 <= number <= 1:
        rates = ", ".join(f"{rate:g}" for rate in RATES)
        raise UserError(
            f"{FLAG}={text}: expected an FPR ({rates}) or a score from -1 to 1", about=FLAG
        )
    return number


def _scores(pairs: Mapping[str, Any], rate: str) -> dict[str, float]:
    return {
        kind: found["thresholds"][rate]["score"]
        for kind, found in pairs.items()
        if rate in found["thresholds"]
    }


def _known(recorded: Mapping[str, Any]) -> str:
    rates = {rate for found in recorded["pairs"].values() for rate in found["thresholds"]}
    return f"recorded: {', '.join(sorted(rates, reverse=True)) or 'none'}"


def threshold_line(found: Mapping[str, Any]) -> str:
    """Return a sentence on the threshold of a search that was made with one.

    Args:
        found: what `run_search` returns.
    """
    used = found["threshold"]
    distinct = {f"{score:.4f}" for score in used["scores"].values()}
    each = ", ".join(f"{score:.4f} {kind}" for kind, score in used["scores"].items())
    shown = each if len(distinct) > 1 else distinct.pop()
    return (
        f"Accepted from a score of {shown} ({used['basis']}). {used['nobody']} of "
        f"{used['queries']} queries match nobody. A threshold does not carry over to other cameras."
    )
