"""What result files hold of a verification: rates by the rate they are at, as text, and notes.

What could not be measured is missing, or None, and a note says why; nothing is NaN.
"""

from collections.abc import Mapping, Sequence

from dmcf_jax.evaluation.open_set import Identification
from dmcf_jax.evaluation.verification import RATES, Verification

# Where open-set identification takes its non-mated queries from, see `open_set.py`.
NON_MATED = ("non_mated_queries", "person_removed")


def verification_as_dict(found: Verification) -> dict:
    """Return rates as fractions, thresholds as scores, and `notes`."""
    curve = found.roc
    points = {rate: curve.points[rate] for rate in RATES if curve.points}
    return {
        "same_person_pairs": curve.same,
        "different_person_pairs": curve.different,
        "tpr_at_fpr": {f"{rate:g}": point.tpr for rate, point in curve.points.items()},
        "fnmr_at_fmr": {f"{rate:g}": 1 - point.tpr for rate, point in points.items()},
        "thresholds": {f"{rate:g}": point.threshold for rate, point in points.items()},
        "eer": curve.eer,
        "eer_threshold": curve.eer_threshold,
        "open_set": {
            "mated_queries": found.open_set.mated,
            "non_mated_queries": _identification(found.open_set.non_mated_queries),
            "person_removed": _identification(found.open_set.person_removed),
        },
        "notes": _notes(found),
    }


def _identification(found: Identification) -> dict:
    points = {f"{rate:g}": point for rate, point in found.points.items()}
    return {
        "searches": found.searches,
        "dir_at_far": {rate: share for rate, (_, share) in points.items()},
        "thresholds": {rate: threshold for rate, (threshold, _) in points.items()},
    }


def _notes(found: Verification) -> list[str]:
    curve, identified = found.roc, found.open_set
    notes = [
        f"no pair of {which}: no verification rates"
        for which, pairs in (("the same person", curve.same), ("two people", curve.different))
        if not pairs
    ]
    if curve.points and curve.different * min(RATES) < 1:
        few = max(rate for rate in RATES if curve.different * rate < 1)
        notes.append(
            f"{curve.different} pairs of two people: rates of {few:g} and below allow none of them"
        )
    if not identified.non_mated_queries.searches:
        notes.append(
            "every query's person is in the gallery: open-set identification is measured with "
            "each query's person removed from it only"
        )
    return notes


def rates_of_trials(trials: Sequence[Mapping]) -> dict[tuple[str, ...], list[float]]:
    """Return the rates that every trial has, each trial's value, by their place in `mean`."""
    found = [_rates(trial["verification"]) for trial in trials if "verification" in trial]
    if len(found) < len(trials):
        return {}
    return {
        place: [rates[place] for rates in found]
        for place in found[0]
        if all(place in rates for rates in found)
    }


def _rates(verified: Mapping) -> dict[tuple[str, ...], float]:
    families = {(name,): verified[name] for name in ("tpr_at_fpr", "fnmr_at_fmr")} | {
        ("dir_at_far", name): verified["open_set"][name]["dir_at_far"] for name in NON_MATED
    }
    rates = {(*place, rate): v for place, family in families.items() for rate, v in family.items()}
    return rates if verified["eer"] is None else rates | {("eer",): verified["eer"]}


def nested(values: Mapping[tuple[str, ...], float]) -> dict:
    """Return values by place as dictionaries in dictionaries."""
    tree: dict = {}
    for place, value in values.items():
        branch = tree
        for name in place[:-1]:
            branch = branch.setdefault(name, {})
        branch[place[-1]] = value
    return tree
