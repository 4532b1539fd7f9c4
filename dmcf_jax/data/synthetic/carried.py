"""Bags of a synthetic person: behind, on and before the trunk as the camera sees them."""

from dmcf_jax.data.synthetic.figure import Figure
from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.pose import Point3


def draw_behind(figure: Figure) -> None:
    """Draw what the trunk hides in part."""
    if figure.outfit.bag.kind == "backpack" and figure.faces_us:
        _backpack(figure)
    elif _hangs(figure) and _is_far(figure):
        _hanging(figure)


def draw_on_trunk(figure: Figure) -> None:
    """Draw straps and what is on the back, before the arms are drawn."""
    kind, side = figure.outfit.bag.kind, figure.outfit.bag.side
    if kind == "backpack":
        _straps(figure)
        if not figure.faces_us:
            _backpack(figure)
    elif kind == "crossbody":
        _across(figure, -side * 0.55)
    elif kind == "waist":
        _belt_bag(figure)


def draw_before(figure: Figure) -> None:
    """Draw what is nearest to the camera."""
    if figure.outfit.bag.kind == "shoulder":
        _across(figure, figure.outfit.bag.side * 0.75)
    if _hangs(figure) and not _is_far(figure):
        _hanging(figure)


def _hangs(figure: Figure) -> bool:
    return figure.outfit.bag.kind in ("crossbody", "shoulder", "hand")


def _is_far(figure: Figure) -> bool:
    return figure.outfit.bag.side * figure.sketch.sin > 0.35


def _hanging(figure: Figure) -> None:
    bag, body = figure.outfit.bag, figure.body
    if bag.kind == "hand":
        x, y, z = figure.arms[bag.side > 0][2]
        top = y + 0.05
        figure.sketch.line([(x, y, z), (x, top + 0.01, z)], 0.018, Part.STRAP)
        _bag(figure, (x, top + 0.055 * bag.size, z), 0.04 * bag.size, 0.055 * bag.size, 0.06)
        return
    out, down = (1.25, 0.075) if bag.kind == "crossbody" else (1.3, -0.005)
    middle = (bag.side * out * body.hips, figure.waist + down, -0.01)
    _bag(figure, middle, 0.035 * bag.size, 0.06 * bag.size, 0.075 * bag.size)


def _bag(figure: Figure, middle: Point3, across: float, down: float, deep: float) -> None:
    sketch, (x, y, z) = figure.sketch, middle
    sketch.block(middle, (across, down, deep), Part.BAG, 0.85)
    if figure.outfit.bag.flap:
        sketch.block((x, y - 0.5 * down, z), (across, 0.5 * down, deep), Part.FLAP, 0.9)


def _backpack(figure: Figure) -> None:
    bag, body = figure.outfit.bag, figure.body
    deep = 0.05 * bag.size
    half = 0.11 * bag.size
    z = figure.pose.stoop * 0.5 - body.depth * body.shoulders - 0.7 * deep
    middle = (0.0, figure.shoulder + 0.015 + half, z)
    across = 0.85 * body.shoulders * min(1.25, 0.45 + 0.5 * bag.size)
    figure.sketch.block(middle, (across, half, deep), Part.BAG, 0.82)
    if bag.flap:
        low = (0.0, middle[1] + 0.45 * half, z)
        figure.sketch.block(low, (0.75 * across, 0.4 * half, deep), Part.FLAP, 1.0)


def _straps(figure: Figure) -> None:
    body = figure.body
    deep = 0.95 * body.depth * body.shoulders
    for side in (-1, 1):
        x = side * 0.55 * body.shoulders
        top = (x, figure.shoulder + 0.004, 0.02)
        chest = (1.15 * x, figure.shoulder + 0.10, deep)
        low = (1.4 * x, figure.shoulder + 0.19, 0.4 * deep)
        if figure.faces_us:
            figure.sketch.line([top, chest, low], 0.022, Part.STRAP)


def _across(figure: Figure, start: float) -> None:
    """Draw a strap from a shoulder to the bag, on the side of the trunk that is seen."""
    bag, body = figure.outfit.bag, figure.body
    towards = 1 if figure.faces_us else -1
    deep = towards * body.depth * body.shoulders
    top = (start * body.shoulders, figure.shoulder + 0.004, 0.0)
    low = (bag.side * 1.1 * body.hips, figure.waist + 0.03, 0.0)
    middle = (0.5 * (top[0] + low[0]), 0.5 * (top[1] + low[1]), deep)
    figure.sketch.line([top, middle, low], 0.022, Part.STRAP)


def _belt_bag(figure: Figure) -> None:
    bag, rows = figure.outfit.bag, figure.trunk
    y, half = figure.waist + 0.01, 0.032 * bag.size
    figure.sketch.tube(rows, Part.STRAP, y - 0.012, y + 0.012)
    middle = 0.5 * bag.side
    if figure.faces_us:
        figure.sketch.tube(rows, Part.BAG, y - half, y + half, (middle - 0.6, middle + 0.6))
