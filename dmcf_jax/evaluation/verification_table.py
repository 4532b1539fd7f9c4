"""Verification and open-set identification as a Markdown table, in percent."""

from collections.abc import Mapping, Sequence

from dmcf_jax.evaluation.results import marked_title
from dmcf_jax.evaluation.verification import RATES
from dmcf_jax.evaluation.verification_results import NON_MATED
from dmcf_jax.runtime.markdown import pipe_table

FAR = "0.01"  # at which the table shows DIR
LEGEND = (
    "TPR at FPR: share of the pairs of one person that a threshold accepts, if it accepts at most "
    "the share FPR of the pairs of two people. FNMR at this FMR is 100 % - TPR. EER: error rate "
    "where FPR = FNMR.\n"
    "DIR at FAR: share of the queries whose best match is right and accepted, if at most the share "
    "FAR of the searches for people outside the gallery finds anybody. 'removed': these searches "
    "are the queries with their person taken out of the gallery.\n"
    "* There are fewer than 1 / FPR pairs of two people, so that none of them is accepted.\n"
)


def verification_rows(results: Sequence[Mapping]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table; no rows where nothing was verified."""
    header = ["protocol", "pairs of one person", "of two", *(f"TPR at FPR {r:g}" for r in RATES)]
    header += ["EER", f"DIR at FAR {FAR}", f"DIR at FAR {FAR}, removed"]
    return header, [_row(result) for result in results if "verification" in result["mean"]]


def verification_table(results: Sequence[Mapping]) -> str:
    """Return a pipe table and what its columns mean; '' where nothing was verified."""
    header, rows = verification_rows(results)
    if not rows:
        return ""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return f"{pipe_table(lines)}\n{LEGEND}"


def _row(result: Mapping) -> list[str]:
    trials = [trial["verification"] for trial in result["trials"]]
    pairs = [_range([trial[f"{kind}_person_pairs"] for trial in trials])
             for kind in ("same", "different")]  # fmt: skip
    few = min(trial["different_person_pairs"] for trial in trials)
    rates = [
        _cell(result, "tpr_at_fpr", f"{rate:g}") + ("*" if few * rate < 1 else "") for rate in RATES
    ]
    found = [_cell(result, "dir_at_far", name, FAR) for name in NON_MATED]
    return [marked_title(result), *pairs, *rates, _cell(result, "eer"), *found]


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _cell(result: Mapping, *place: str) -> str:
    """Return a value with the deviation of several trials, or a dash where there is none."""
    values = []
    for name in ("mean", "std"):
        branch = result[name]["verification"]
        for part in place:
            branch = branch.get(part, {}) if isinstance(branch, Mapping) else {}
        values.append(branch)
    if any(isinstance(value, Mapping) for value in values):
        return "-"
    mean, spread = (100 * value for value in values)
    return f"{mean:.2f} ± {spread:.2f}" if len(result["trials"]) > 1 else f"{mean:.2f}"
