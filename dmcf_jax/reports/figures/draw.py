"""Draw figures by name: what the `figures` command calls."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.reports.figures import (
    cmc_curves,
    distance_histograms,
    embedding_map,
    health_curves,
    level_maps,
    ranked_lists,
    sigma_curves,
    verification_curves,
)
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions
from dmcf_jax.runtime.console import log


class Figure(NamedTuple):
    """One figure.

    Attributes:
        problems: returns why it cannot be drawn; [] if it can.
        draw: writes it to a folder and returns the paths written.
    """

    problems: Callable[[FigureInputs, FigureOptions], list[Problem]]
    draw: Callable[[FigureInputs, FigureOptions, Path], list[Path]]


FIGURES = {
    "3": Figure(cmc_curves.methods_problems, cmc_curves.draw_methods),
    "4": Figure(cmc_curves.variants_problems, cmc_curves.draw_variants),
    "5": Figure(level_maps.problems, level_maps.draw),
    "6": Figure(sigma_curves.problems, sigma_curves.draw),
    "health": Figure(health_curves.problems, health_curves.draw),
    "embeddings": Figure(embedding_map.problems, embedding_map.draw),
    "ranked": Figure(ranked_lists.problems, ranked_lists.draw),
    "distances": Figure(distance_histograms.problems, distance_histograms.draw),
    "verification": Figure(verification_curves.problems, verification_curves.draw),
}


def draw(
    names: Sequence[str],
    workdir: str | Path,
    out: str | Path | None = None,
    options: FigureOptions | None = None,
) -> list[Path]:
    """Draw figures of a run or of an experiment and return the paths written.

    Args:
        names: keys of `FIGURES`; 'all' draws those that are possible for this folder and logs
            why the others are not.
        workdir: folder of a training run or of an experiment.
        out: folder of the files; `<workdir>/figures` by default.

    Raises:
        UserError: an unknown figure, or one that cannot be drawn; then none is drawn.
    """
    names, options = _known(names), options or FigureOptions()
    if options.beside and not {"5", "all"} & {*names}:
        raise UserError("--beside is for figure 5; add it, or leave out the flag", about="--beside")
    inputs = FigureInputs(workdir, options.data)
    requested = [*FIGURES] if "all" in names else names
    by_name = {name: FIGURES[name].problems(inputs, options) for name in requested}
    problems = [
        Problem(problem.about, f"figure {name}: {problem}")
        for name, found in by_name.items()
        for problem in found
    ]
    possible = [name for name in requested if not by_name[name]]
    if problems and ("all" not in names or not possible):
        raise UserError.listing("no figure was drawn:", problems)
    if problems:
        log(str(UserError.listing("left out:", problems)))
    out = Path(out) if out else inputs.workdir / "figures"
    return [path for name in possible for path in FIGURES[name].draw(inputs, options, out)]


def _known(names: Sequence[str]) -> list[str]:
    allowed = [*FIGURES, "all"]
    unknown = [name for name in names if name not in allowed]
    if unknown or not names:
        problem = f"there is no figure {', '.join(unknown)}" if unknown else "no figure was named"
        raise UserError(
            f"{problem}; choose from {', '.join(allowed)}, separated by commas", about="--figure"
        )
    return list(dict.fromkeys(names))
