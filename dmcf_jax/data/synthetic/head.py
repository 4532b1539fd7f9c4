"""Head, hair, hats, hoods and scarves of a synthetic person."""

import math

from dmcf_jax.data.synthetic.figure import Figure
from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.sketch import Row

_FALL = {"short": 0.0, "bald": 0.0, "bun": 0.0, "bob": 0.035, "long": 0.12, "tail": 0.11}


def _centre(figure: Figure, y: float, z: float = 0.0) -> tuple[float, float, float]:
    return 0.0, y * figure.body.head, figure.pose.stoop + z


def _skull(figure: Figure, spare: float = 0.0) -> list[Row]:
    size, z = figure.body.head, figure.pose.stoop
    shape = [(0.0, 0.12, 0.14), (0.12, 0.30, 0.36), (0.4, 0.39, 0.46), (0.7, 0.34, 0.40)]
    shape.append((1.0, 0.14, 0.18))
    return [(y * size, (a + spare) * size, (b + spare) * size, z) for y, a, b in shape]


def draw_behind(figure: Figure) -> None:
    """Draw what hangs behind the head of somebody who faces the camera."""
    if not figure.faces_us:
        return
    if figure.outfit.upper.hood == "down":
        _hood_down(figure)
    _fall(figure)


def draw(figure: Figure) -> None:
    """Draw neck, head and everything on it."""
    outfit, sketch, size = figure.outfit, figure.sketch, figure.body.head
    neck = [_centre(figure, 0.8), _centre(figure, 1.1), _centre(figure, 1.32, -0.01)]
    sketch.limb(neck, (0.03, 0.03, 0.036), Part.SKIN)
    if figure.faces_us:
        _scarf(figure)
    skull, hidden = _skull(figure), outfit.head.hat == "scarf" or outfit.upper.hood == "up"
    sketch.tube(skull, Part.SKIN if outfit.head.hair == "bald" else Part.HAIR)
    sketch.tube(skull, Part.FACE, 0.28 * size, None, (-1.15, 1.15))
    if outfit.head.mask:
        sketch.tube(_skull(figure, 0.02), Part.MASK, 0.58 * size, None, (-1.25, 1.25))
    if hidden:
        _covered(figure)
    else:
        _hair_on_top(figure)
        _hat(figure)
    if not figure.faces_us:
        _fall(figure)
        _scarf(figure)
        if outfit.upper.hood == "down":
            _hood_down(figure)


def _hair_on_top(figure: Figure) -> None:
    style, size = figure.outfit.head.hair, figure.body.head
    if style == "bald":
        return
    figure.sketch.tube(_skull(figure, 0.03), Part.HAIR, 0.0, 0.27 * size)
    if style in ("bob", "long"):
        around = (1.1, 2 * math.pi - 1.1)
        figure.sketch.tube(_skull(figure, 0.05), Part.HAIR, 0.1 * size, None, around)
    if style == "bun":
        figure.sketch.oval(_centre(figure, 0.08, -0.035), 0.028, 0.024, Part.HAIR)


def _fall(figure: Figure) -> None:
    outfit, size = figure.outfit, figure.body.head
    fall = _FALL[outfit.head.hair]
    if not fall or outfit.head.hat == "scarf" or outfit.upper.hood == "up":
        return
    wide = (0.2 if outfit.head.hair == "tail" else 0.5) * size
    z = figure.pose.stoop - 0.035
    rows = [(0.45 * size, 0.4 * size, 0.2 * size, z), (size + fall, wide, 0.2 * size, z - 0.02)]
    figure.sketch.tube(rows, Part.HAIR)


def _hat(figure: Figure) -> None:
    hat, sketch, size = figure.outfit.head.hat, figure.sketch, figure.body.head
    if hat in ("none", "scarf"):
        return
    crown = {"cap": 0.34, "beanie": 0.44, "brim": 0.34}[hat]
    z = figure.pose.stoop
    rows = [(-0.07 * size, 0.24 * size, 0.28 * size, z), (0.06 * size, 0.38 * size, 0.45 * size, z)]
    rows.append((crown * size, 0.43 * size, 0.5 * size, z))
    sketch.tube(rows, Part.HAT)
    if hat == "brim":
        sketch.oval(_centre(figure, 0.32), 0.78 * size, 0.1 * size, Part.BRIM)
    elif hat == "cap":
        across = sketch.half_width(0.3 * size, 0.3 * size)
        sketch.oval(_centre(figure, 0.36, 0.42 * size), across, 0.07 * size, Part.BRIM)
    else:
        sketch.tube(rows, Part.BRIM, 0.28 * size)
        sketch.oval(_centre(figure, -0.12), 0.022, 0.018, Part.BRIM)


def _covered(figure: Figure) -> None:
    """Draw a headscarf, or a hood over the head; the face stays open."""
    size, z = figure.body.head, figure.pose.stoop
    part = Part.HAT if figure.outfit.head.hat == "scarf" else Part.UPPER
    rows = [(-0.06 * size, 0.2 * size, 0.22 * size, z), (0.15 * size, 0.44 * size, 0.5 * size, z)]
    rows += [(0.8 * size, 0.46 * size, 0.5 * size, z - 0.01)]
    rows += [(1.5 * size, 0.55 * size, 0.45 * size, 0.7 * z)]
    around = (0.75, 2 * math.pi - 0.75)
    figure.sketch.tube(rows, part, None, 0.25 * size)
    figure.sketch.tube(rows, part, 0.2 * size, None, around)
    figure.sketch.tube(rows, part, 0.98 * size, None, (-0.8, 0.8))


def _hood_down(figure: Figure) -> None:
    y, z = figure.shoulder / figure.body.head, figure.pose.stoop
    across = figure.sketch.half_width(0.075, 0.05)
    figure.sketch.oval(_centre(figure, y + 0.12, -0.06 - 0.2 * z), across, 0.042, Part.FOLD)
    figure.sketch.oval(_centre(figure, y + 0.12, -0.06 - 0.2 * z), across - 0.01, 0.032, Part.UPPER)


def _scarf(figure: Figure) -> None:
    kind, sketch, body = figure.outfit.head.scarf, figure.sketch, figure.body
    if kind == "none":
        return
    if kind == "tails" and figure.faces_us:
        for x, end in ((0.02, 0.2), (-0.018, 0.13)):
            low = (x, figure.shoulder + end, 0.6 * body.shoulders)
            sketch.line([(x, figure.shoulder, 0.05), low], 0.034, Part.SCARF)
    y = figure.shoulder / body.head
    sketch.oval(_centre(figure, y - 0.08), 0.056, 0.03, Part.SCARF)
