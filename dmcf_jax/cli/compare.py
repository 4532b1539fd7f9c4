"""Compare runs: configs, data, figures and curves, as tables and as a page.

dmcf compare runs/*
dmcf compare runs/table_2/dmcf/seed_0 runs/table_2/no_mtl/seed_0 --html=compare.html
"""

from pathlib import Path

from absl import flags

from dmcf_jax.cli import app

_HTML = flags.DEFINE_string("html", None, "File for a page with the tables and all curves")


def main(folders: list[str]) -> None:
    """Print tables in Markdown and write the page.

    Args:
        folders: of runs, see `dmcf train --workdir`.
    """
    from dmcf_jax.reports import compared_runs
    from dmcf_jax.reports.html.compare_page import compare_page
    from dmcf_jax.runtime.console import log
    from dmcf_jax.runtime.files import write_atomically

    runs = compared_runs.read_runs([Path(folder) for folder in folders])
    for note in compared_runs.notes(runs):
        log(note)
    for cells in (compared_runs.figure_table(runs), compared_runs.config_table(runs)):
        print(compared_runs.as_markdown(cells))
    if _HTML.value:
        write_atomically(Path(_HTML.value), compare_page(runs), "Name another file.")
        log(f"wrote {_HTML.value}")


if __name__ == "__main__":
    app.run_with_words(main)
