"""Results of an evaluation with chosen metrics."""

from collections.abc import Iterable

import numpy as np

from dmcf_jax.evaluation.evaluate_protocol import ProtocolResult, TrialResult
from dmcf_jax.evaluation.protocols import find_protocol
from dmcf_jax.evaluation.ranking.ranking import Metrics
from dmcf_jax.evaluation.results import result_as_dict


def trial(number: int, rank_1: float) -> TrialResult:
    """Return a trial whose CMC rises from `rank_1` to 1, with mAP and mINP a half and a quarter."""
    curve = np.linspace(rank_1, 1, 20)
    metrics = Metrics(curve, rank_1 / 2, rank_1 / 4, queries=30, valid_queries=28, gallery=50)
    return TrialResult(number, metrics, f"gallery{number}", f"query{number}")


def result(
    name: str = "regdb/visible-to-thermal",
    numbers: Iterable[int] = (1,),
    rank_1: float = 0.5,
    options: Iterable[str] = (),
    step: int = 700,
) -> dict:
    """Return what is written of an evaluation; trial n has rank-1 `rank_1` + n / 100."""
    trials = tuple(trial(number, rank_1 + number / 100) for number in numbers)
    made = ProtocolResult(find_protocol(name), trials, tuple(options))
    return result_as_dict(made, step=step, chosen_by="last", extra={"dataset": {"official": True}})
