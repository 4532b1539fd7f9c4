"""Table `strong`: what is trained today, published figures and lengths beside what was run here."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dmcf_jax.config.read import read_config
from dmcf_jax.experiments.rows import TODAY, basis_of
from dmcf_jax.experiments.tables import Row
from dmcf_jax.methods.dmcf.published import COMPLETE, TABLE_1, title_of
from dmcf_jax.runtime.markdown import pipe_table

MEASURES = ("CMC-1", "mAP", "mINP")


class Published(NamedTuple):
    """What the authors print in percent, in the order of `MEASURES`; None for nothing."""

    cmc_1: float
    mAP: float
    mINP: float | None = None


def _of_dmcf(dataset: str) -> Published:
    scores = TABLE_1[dataset]["DMCF (paper)"]
    return Published(scores.cmc_1, scores.mAP)


# From the readme files of the authors' code. RegDB: visible to infrared, ten splits; SYSU-MM01: all
# search, single shot.
PUBLISHED = {
    "regdb": {
        "hctri": Published(91.05, 83.28, 68.84),
        "agw": Published(70.05, 66.37, 50.19),
        "caj": Published(85.03, 79.14, 65.33),
        COMPLETE: _of_dmcf("regdb"),
    },
    "sysu_mm01": {
        "hctri": Published(61.68, 57.51, 39.54),
        "agw": Published(47.50, 47.65, 35.30),
        "caj": Published(69.88, 66.89, 53.61),
        COMPLETE: _of_dmcf("sysu_mm01"),
    },
}

_NOTES = (
    "Basis: the weakest source of what tells a row apart; docs/recipes.md has what is ours.",
    "Steps: one batch each, of P x K pairs; published is the authors' number of epochs.",
)
_PUBLISHED_NOTE = (
    "Published: the authors' code evaluates on the test data while it trains; where a figure is "
    "that of the best epoch, it is higher than that of the last, which is evaluated here."
)
_UNOFFICIAL_NOTE = (
    "**The data here are not the published ones: the two kinds of columns do not compare.**"
)


def comparison(
    dataset: str,
    protocol: str,
    rows: Sequence[Row],
    steps: Mapping[str, int],
    published: bool = True,
) -> str:
    """Return the table with a line for each of `TODAY`, run or not, then other rows; and its notes.

    Args:
        rows: what was evaluated by `protocol`.
        steps: of training here, by row.
        published: whether to show what was printed; not for synthetic people.
    """
    by_name = {row.name: row for row in rows}
    header = ["method", "basis", "runs", *_pair("steps", published)]
    header += [cell for measure in MEASURES for cell in _pair(measure, published)]
    lines = [header, [":--", ":--", *["--:"] * (len(header) - 2)]]
    for name in dict.fromkeys([*TODAY, *by_name]):
        row = by_name.get(name)
        cells = [title_of(name), basis_of(name), str(row.runs if row else 0)]
        here = [str(steps.get(name, "-")) if row else "-", *_measured(row)]
        theirs = _published(dataset, name) if published else None
        lines.append(cells + _side_by_side(theirs, here))
    notes = list(_NOTES)
    if published:
        unofficial = [] if all(row.official for row in rows) else [_UNOFFICIAL_NOTE]
        notes = [*unofficial, *notes, _PUBLISHED_NOTE]
    text = "".join(f"- {note}\n" for note in notes)
    return f"## Table strong, {protocol}, %\n\n{pipe_table(lines)}\n{text}"


def _pair(name: str, published: bool) -> list[str]:
    return [f"{name} published", "here"] if published else [name]


def _measured(row: Row | None) -> list[str]:
    return [str(row.values[measure]) if row else "-" for measure in MEASURES]


def _published(dataset: str, name: str) -> list[str]:
    """Return the published length and figures of a row; '-' where there is none."""
    scores = PUBLISHED[dataset].get(name)
    if scores is None:
        return ["-"] * (1 + len(MEASURES))
    figures = ["-" if value is None else f"{value:.2f}" for value in scores]
    return [str(published_steps(dataset, name)), *figures]


def published_steps(dataset: str, name: str) -> int:
    """Return the steps of a row's config: the length that its authors published."""
    config = dataset if name == COMPLETE else f"{dataset}:{name}"
    return read_config([f"--config={config}"]).train.steps


def _side_by_side(theirs: list[str] | None, here: list[str]) -> list[str]:
    if theirs is None:
        return here
    return [cell for pair in zip(theirs, here, strict=True) for cell in pair]
