"""Figures by name: what dmcf figures calls."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from dmcf_jax.errors import UserError
from dmcf_jax.reports.figures import (
    cmc_curves,
    distance_histograms,
    embedding_map,
    level_maps,
    ranked_lists,
    sigma_curves,
)
from dmcf_jax.reports.figures.material import Choices, Material
from dmcf_jax.runtime.console import log


class Figure(NamedTuple):
    """What is in the way of a figure, [] if nothing, and what draws it: returns paths written."""

    problems: Callable[[Material, Choices], list[str]]
    draw: Callable[[Material, Choices, Path], list[Path]]


FIGURES = {
    "3": Figure(cmc_curves.methods_problems, cmc_curves.draw_methods),
    "4": Figure(cmc_curves.variants_problems, cmc_curves.draw_variants),
    "5": Figure(level_maps.problems, level_maps.draw),
    "6": Figure(sigma_curves.problems, sigma_curves.draw),
    "embeddings": Figure(embedding_map.problems, embedding_map.draw),
    "ranked": Figure(ranked_lists.problems, ranked_lists.draw),
    "distances": Figure(distance_histograms.problems, distance_histograms.draw),
}


def draw(
    names: Sequence[str],
    workdir: str | Path,
    out: str | Path | None = None,
    choices: Choices | None = None,
) -> list[Path]:
    """Draw figures of a run or of an experiment and return the paths written.

    Args:
        names: of `FIGURES`; 'all' for those that can be drawn of this folder, the others are
            told with their reasons.
        workdir: of dmcf train, or an experiment's folder.
        out: folder of the files; `<workdir>/figures` by default.

    Raises:
        UserError: an unknown figure, or everything that is in the way of those named; nothing
            is drawn then.
    """
    names, choices = _known(names), choices or Choices()
    material = Material(workdir)
    wanted = [*FIGURES] if "all" in names else names
    found = {name: FIGURES[name].problems(material, choices) for name in wanted}
    problems = [f"figure {name}: {line}" for name, lines in found.items() for line in lines]
    possible = [name for name in wanted if not found[name]]
    if problems and ("all" not in names or not possible):
        raise UserError.listing("no figure was drawn:", problems)
    if problems:
        log(str(UserError.listing("left out:", problems)))
    out = Path(out) if out else material.workdir / "figures"
    return [path for name in possible for path in FIGURES[name].draw(material, choices, out)]


def _known(names: Sequence[str]) -> list[str]:
    allowed = [*FIGURES, "all"]
    unknown = [name for name in names if name not in allowed]
    if unknown or not names:
        problem = f"there is no figure {', '.join(unknown)}" if unknown else "name a --figure"
        raise UserError(f"{problem}; choose of {', '.join(allowed)}, several with commas")
    return list(dict.fromkeys(names))
