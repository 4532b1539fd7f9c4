"""Table 1: the paper's rows in its order, what it printed beside what was measured here."""

from collections.abc import Mapping, Sequence

from dmcf_jax.experiments.rows import basis_of
from dmcf_jax.experiments.tables import Row
from dmcf_jax.methods.dmcf.published import ROW_OF, TABLE_1, TABLE_ROWS, Scores, title_of
from dmcf_jax.runtime.markdown import pipe_table

MEASURES = ("CMC-1", "CMC-10", "CMC-20", "mAP")

_NOTES = (
    "Basis: the weakest source of what tells a row apart, its network aside. docs/decisions.md has "
    "what is ours in each row.",
    "Network: ResNet-50 in all rows here. TONE, HCML and BDTR were published with AlexNet, as far "
    "as their authors' code shows.",
)
_PUBLISHED_NOTE = (
    "Published: the paper ran none of the other methods again, as far as its text shows; it "
    "repeats figures of earlier papers."
)
_DATA_NOTES = {
    "regdb": "Splits: papers of 2018 drew ten splits of their own; here they are the ten that are "
    "in circulation today. The paper does not say which it used.",
    "sysu_mm01": "Galleries: those of the published figures were drawn without a seed and cannot "
    "be drawn again; here they are `random.seed(trial)`'s.",
}
_UNOFFICIAL_NOTE = (
    "**The data here are not the published ones: the two kinds of columns do not compare.**"
)


def comparison(dataset: str, protocol: str, rows: Sequence[Row], published: bool = True) -> str:
    """Return table 1 with a line for each of the paper's rows, run or not, and its footnotes.

    Rows that the paper does not have follow at the end.

    Args:
        rows: what was evaluated by `protocol`.
        published: whether to show what the paper printed; not for synthetic people.
    """
    by_name = {row.name: row for row in rows}
    names = dict.fromkeys([*TABLE_ROWS[1], *by_name])
    columns = [[m, "here"] if published else [m] for m in MEASURES]
    if published:
        columns = [[f"{measure} published", here] for measure, here in columns]
    header = ["method", "basis", "runs", *(name for column in columns for name in column)]
    lines = [header, [":--", ":--", *["--:"] * (len(header) - 2)]]
    printed = TABLE_1[dataset] if published else None
    lines += [_line(name, by_name.get(name), printed) for name in names]
    notes = _notes(dataset, rows) if published else _NOTES
    text = "".join(f"- {note}\n" for note in notes)
    return f"## Table 1, {protocol}, %\n\n{pipe_table(lines)}\n{text}"


def _line(name: str, row: Row | None, printed: Mapping[str, Scores] | None) -> list[str]:
    """Return the cells of one row; '-' where there is nothing."""
    cells = [title_of(name), basis_of(name), str(row.runs if row else 0)]
    for measure in MEASURES:
        if printed is not None:
            cells.append(_published(printed.get(ROW_OF.get(name, "")), measure))
        cells.append(str(row.values[measure]) if row else "-")
    return cells


def _published(scores: Scores | None, measure: str) -> str:
    if scores is None:
        return "-"
    value = getattr(scores, measure.replace("CMC-", "cmc_"))
    return "-" if value is None else f"{value:.2f}"


def _notes(dataset: str, rows: Sequence[Row]) -> tuple[str, ...]:
    unofficial = () if all(row.official for row in rows) else (_UNOFFICIAL_NOTE,)
    return (*unofficial, *_NOTES, _PUBLISHED_NOTE, _DATA_NOTES[dataset])
