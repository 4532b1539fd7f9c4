"""Where the runs of an experiment are: `<workdir>/<row>/seed_S` or `<row>/trial_T_seed_S`.

Each is an ordinary run of dmcf train, so whatever reads one run reads these.
"""

from pathlib import Path


def run_folder(workdir: Path, row: str, trial: int | None, seed: int) -> Path:
    """Return the folder of one run; `trial` is None for data with one split."""
    name = f"seed_{seed}" if trial is None else f"trial_{trial}_seed_{seed}"
    return workdir / row / name


def runs_of(workdir: str | Path) -> dict[str, list[Path]]:
    """Return the runs found in an experiment's folder, by row, whether finished or not."""
    found: dict[str, list[Path]] = {}
    for file in sorted(Path(workdir).glob("*/*seed_*/config.json")):
        found.setdefault(file.parent.parent.name, []).append(file.parent)
    return found
