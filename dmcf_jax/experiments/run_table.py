"""What `dmcf experiments` does: plan, run what is missing, write the tables."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.experiments import table_1, table_strong, tables
from dmcf_jax.experiments.plan import DATA, TABLES, Run, baseline_runs, plan
from dmcf_jax.experiments.runner import run_missing
from dmcf_jax.experiments.status import overview
from dmcf_jax.methods.dmcf.published import BASELINE_ROW, PROTOCOL
from dmcf_jax.runtime.console import console, log, log_time
from dmcf_jax.runtime.files import write_atomically

PEOPLE = 200  # synthetic identities of --data=synthetic; half of them train


def run_experiment(
    table: int | str,
    data: str,
    workdir: Path,
    *,
    data_dir: Path | None = None,
    seeds: Sequence[int] = (),
    trials: Sequence[int] = (),
    rows: Sequence[str] = (),
    settings: Sequence[str] = (),
    jobs: int = 1,
    dry_run: bool = False,
) -> str | None:
    """Run what a table of the paper needs and is missing; write and return it as Markdown.

    The table goes to `<workdir>/table_N.md` and `.csv`. See `plan` for the arguments.

    Args:
        jobs: runs at a time, each on its share of the cores (and of `CUDA_VISIBLE_DEVICES`).
        dry_run: only list the runs with their state and, where metrics logs tell the speed, the
            time of the rest; returns None.

    Raises:
        UserError: what cannot be planned; after all others are done, the runs that failed.
    """
    _check(table, data, jobs)
    choices = {"data_dir": data_dir, "seeds": seeds, "trials": trials}
    runs = plan(table, data, workdir, rows=rows, settings=settings, **choices)
    if dry_run:
        console.print(overview(runs))
        return None
    if data == "synthetic":
        _render(runs)
    try:
        run_missing(runs, jobs, workdir / "logs")
    finally:
        text = write_tables(table, data, workdir, runs)
    return text


def _check(table: int | str, data: str, jobs: int) -> None:
    problems = []
    if table not in TABLES:
        text = f"--table={table}: choose one of {', '.join(map(str, TABLES))}"
        problems.append(Problem("--table", text))
    if data not in DATA:
        problems.append(Problem("--data", f"--data={data}: choose one of {', '.join(DATA)}"))
    if jobs < 1:
        problems.append(Problem("--jobs", f"--jobs={jobs}: at least 1"))
    if problems:
        raise UserError.listing("this experiment cannot be run:", problems)


def _render(runs: Sequence[Run]) -> None:
    # Here, because nothing else of an experiment needs the renderer.
    from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic

    data_dir = runs[0].config.data.data_dir
    for trial in sorted({run.trial for run in runs if run.trial is not None}):
        with log_time(f"rendering and preparing {PEOPLE} synthetic people, split {trial}"):
            prepare_synthetic("regdb", PEOPLE, 0, data_dir, trial=str(trial))


def write_tables(table: int | str, data: str, workdir: Path, runs: Sequence[Run]) -> str:
    """Write `table_N.md` and `table_N.csv` from what is evaluated; return the Markdown.

    Tables 2 and 3 begin with the baseline, where the folder has runs of it.
    """
    names, dataset = runs[0].protocols(), runs[0].config.data.name
    if table in (2, 3) and not any(run.row == BASELINE_ROW for run in runs):
        runs = [*baseline_runs(workdir, runs), *runs]
    sections = {name: tables.gather(runs, name) for name in names}
    steps = {run.row: run.config.train.steps for run in runs if run.words}
    text = "\n".join(_sections(table, data, dataset, sections, steps))
    for suffix, content in ((".md", text), (".csv", tables.as_csv(sections))):
        path = workdir / f"table_{table}{suffix}"
        write_atomically(path, content)
        log(f"wrote {path}")
    return text


def _sections(
    table: int | str,
    data: str,
    dataset: str,
    sections: Mapping[str, Sequence[tables.Row]],
    steps: Mapping[str, int],
) -> Iterator[str]:
    """Return the Markdown of each protocol; 2 and 3 have all, the others the published one only."""
    published = data != "synthetic"
    for protocol, rows in sections.items():
        if table in (2, 3):
            yield tables.markdown(table, protocol, rows)
        elif published and protocol != PROTOCOL[dataset]:
            continue
        elif table == 1:
            yield table_1.comparison(dataset, protocol, rows, published)
        else:
            yield table_strong.comparison(dataset, protocol, rows, steps, published)
