"""Draw the paper's figures 3 to 6 for your runs, and others: PNG, SVG and CSV.

dmcf figures --figure=3,5,6 --workdir=runs/regdb_1
dmcf figures --figure=5 --workdir=runs/regdb_1 --beside=runs/bdtr_1
dmcf figures --figure=4 --workdir=runs/table_2
dmcf figures --figure=embeddings,ranked,distances --workdir=runs/regdb_1
dmcf figures --figure=all --workdir=runs/regdb_1 --out=paper
"""

from absl import flags

from dmcf_jax.cli import app

_FIGURE = flags.DEFINE_list(
    "figure",
    [],
    "3, 4, 5, 6, health, embeddings, ranked, distances, verification; or all that fit the folder",
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run, or of an experiment's runs")
_OUT = flags.DEFINE_string("out", None, "Folder for the files; by default <workdir>/figures")
_PAIRS = flags.DEFINE_integer("pairs", 2, "Pairs of images in figure 5")
_IDENTITIES = flags.DEFINE_integer("identities", 12, "People in the map of embeddings")
_BESIDE = flags.DEFINE_string("beside", None, "Run of BDTR whose high level figure 5 shows as H")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of prepared data; by default the run's")
_DATA = flags.DEFINE_string("data", None, "Data set to draw from; by default the run's")
_TRIAL = flags.DEFINE_integer("trial", None, "Its split; by default the run's")


def main() -> None:
    """Draw by the flags and log the paths of the files."""
    from dmcf_jax.errors import UserError
    from dmcf_jax.reports.figures.draw import draw
    from dmcf_jax.reports.figures.inputs import FigureOptions
    from dmcf_jax.runs.other_data import DataChoice
    from dmcf_jax.runtime.console import log
    from dmcf_jax.runtime.paths import local_path

    if not _WORKDIR.value:
        text = "name --workdir, the folder of a run or of an experiment"
        raise UserError(text, about="--workdir")
    data = DataChoice(_DATA_DIR.value, _DATA.value, _TRIAL.value)
    beside = local_path(_BESIDE.value, "--beside") if _BESIDE.value else None
    options = FigureOptions(_PAIRS.value, _IDENTITIES.value, data, beside)
    paths = draw(_FIGURE.value, _WORKDIR.value, _OUT.value, options)
    log("\n".join(f"wrote {path}" for path in paths))


if __name__ == "__main__":
    app.run(main)
