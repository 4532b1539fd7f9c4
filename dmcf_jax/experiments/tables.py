"""Tables of evaluated runs, as Markdown and as CSV.

Values are percent: the mean over the runs of a row (its seeds and splits) and the sample standard
deviation (n - 1). A row of one run, as on SYSU-MM01, has those of its galleries instead.
"""

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence

from dmcf_jax.evaluation.results import mean_and_deviation
from dmcf_jax.experiments.plan import Run
from dmcf_jax.experiments.status import result_file
from dmcf_jax.methods.dmcf.published import BASELINE_ROW, COMPLETE, PROTOCOL, Scores, printed
from dmcf_jax.runtime.markdown import pipe_table

MEASURES = ("CMC-1", "CMC-10", "CMC-20", "mAP", "mINP")


@dataclasses.dataclass(frozen=True)
class Cell:
    """A mean and, where there is more than one value, a standard deviation."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        """Return mean ± deviation."""
        spread = "" if self.deviation is None else f" ± {self.deviation:.2f}"
        return f"{self.mean:.2f}{spread}"


@dataclasses.dataclass(frozen=True)
class Row:
    """One row on one protocol.

    Attributes:
        name: a variant, or the stem of the user's own config.
        runs: how many were evaluated.
        values: by measure.
        gain: CMC-1 minus that of the complete method's run of the same seed and split; None
            without one.
        paper: the paper's values, None where the data are not the paper's.
        official: whether all runs were evaluated on the complete published data.
    """

    name: str
    runs: int
    values: dict[str, Cell]
    gain: Cell | None
    paper: Scores | None
    official: bool

    def difference(self, measure: str) -> float | None:
        """Return our mean minus the paper's value of 'CMC-1' or 'mAP'."""
        if self.paper is None:
            return None
        published = {"CMC-1": self.paper.cmc_1, "mAP": self.paper.mAP}[measure]
        return self.values[measure].mean - published


def gather(runs: Sequence[Run], protocol: str) -> list[Row]:
    """Return the rows of what is evaluated by `protocol`, in the order of `runs`."""
    results: dict[str, dict[tuple, dict]] = {}
    for run in runs:
        path = result_file(run, protocol)
        if path.exists():
            results.setdefault(run.row, {})[run.trial, run.seed] = json.loads(path.read_text())
    complete = results.get(COMPLETE, {})
    return [_row(name, by_run, complete, protocol) for name, by_run in results.items()]


def _row(name: str, results: dict, complete: dict, protocol: str) -> Row:
    values = {measure: _cell(list(results.values()), measure) for measure in MEASURES}
    gains = [
        _percent(result["mean"], "CMC-1") - _percent(complete[key]["mean"], "CMC-1")
        for key, result in results.items()
        if key in complete
    ]
    gain = _average(gains) if gains and name != COMPLETE else None
    data = [result["data"] for result in results.values()]
    official = all(entry["official"] for entry in data)
    dataset = data[0]["dataset"]
    comparable = official and PROTOCOL.get(dataset) == protocol
    paper = printed(dataset, name) if comparable else None
    return Row(name, len(results), values, gain, paper, official)


def _cell(results: list[dict], measure: str) -> Cell:
    if len(results) == 1:
        return _average([_percent(trial, measure) for trial in results[0]["trials"]])
    return _average([_percent(result["mean"], measure) for result in results])


def _percent(metrics: dict, measure: str) -> float:
    if not measure.startswith("CMC-"):
        return 100 * metrics[measure]
    curve = metrics["cmc"]
    return 100 * curve[str(min(int(measure.removeprefix("CMC-")), len(curve)))]


def _average(values: Sequence[float]) -> Cell:
    mean, deviation = mean_and_deviation(values)
    return Cell(float(mean), float(deviation) if len(values) > 1 else None)


def markdown(table: int | str, protocol: str, rows: Sequence[Row]) -> str:
    """Return a section with a pipe table; the paper's columns only where it has values."""
    compared = any(row.paper for row in rows)
    header = ["variant", "runs", *MEASURES]
    header += ["CMC-1 less dmcf's"] if any(row.gain for row in rows) else []
    header += ["paper CMC-1", "paper mAP", "ours less paper"] if compared else []
    lines = [header, [":--", *["--:"] * (len(header) - 1)]]
    for row in rows:
        name = f"{row.name} (baseline)" if row.name == BASELINE_ROW else row.name
        cells = [name, str(row.runs), *(str(row.values[name]) for name in MEASURES)]
        if any(row.gain for row in rows):
            cells.append(str(row.gain) if row.gain else "")
        lines.append(cells + (_printed_cells(row) if compared else []))
    return f"## Table {table}, {protocol}, %\n\n{pipe_table(lines)}"


def _printed_cells(row: Row) -> list[str]:
    if row.paper is None:
        return ["", "", ""]
    differences = (f"{row.difference(name):+.2f}" for name in ("CMC-1", "mAP"))
    return [f"{row.paper.cmc_1:.2f}", f"{row.paper.mAP:.2f}", " / ".join(differences)]


def as_csv(sections: Mapping[str, Sequence[Row]]) -> str:
    """Return all rows of all protocols as CSV: means, deviations, and the paper's values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f"{measure} {what}" for measure in MEASURES for what in ("mean", "std")]
    gains = ["CMC-1 less dmcf mean", "CMC-1 less dmcf std"]
    writer.writerow(["protocol", "variant", "runs", *names, *gains, "paper CMC-1", "paper mAP"])
    for protocol, rows in sections.items():
        for row in rows:
            cells = [row.values[measure] for measure in MEASURES]
            numbers = [value for cell in cells for value in (cell.mean, cell.deviation)]
            gain = (row.gain.mean, row.gain.deviation) if row.gain else ("", "")
            paper = (row.paper.cmc_1, row.paper.mAP) if row.paper else ("", "")
            writer.writerow([protocol, row.name, row.runs, *numbers, *gain, *paper])
    return text.getvalue()
