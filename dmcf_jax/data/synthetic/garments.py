"""Trousers, skirts, boots, coats: where one cloth ends and another begins."""

import math

from dmcf_jax.data.synthetic.figure import Figure
from dmcf_jax.data.synthetic.outfit import Upper
from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.pose import ANKLE, Point3

_FRONT, _LEFT, _BACK = 0.0, math.pi / 2, math.pi


def draw_leg(figure: Figure, joints: list[Point3], side: int) -> None:
    """Draw skin, socks, boots and the trouser leg of one leg; `side` is -1 for the right one."""
    lower, sketch, thick = figure.outfit.lower, figure.sketch, 1.35 * figure.body.limbs
    bare = (1.2 * thick, 0.85 * thick, 0.55 * thick)
    wide = (1.3 * thick, thick * (0.8 + 0.45 * lower.flare), thick * (0.62 + 0.75 * lower.flare))
    if lower.length < 0.97 or lower.kind == "skirt":
        sketch.limb(joints, bare, Part.SKIN)
    if lower.socks:
        sketch.limb(joints, [1.1 * radius for radius in bare], Part.SOCKS, 1 - lower.socks)
    if lower.kind != "skirt":
        sketch.limb(joints, [radius + 0.007 for radius in wide], Part.LOWER_FOLD, 0.0, lower.length)
        sketch.limb(joints, wide, Part.LOWER, 0.0, lower.length)
        if lower.split < lower.length:
            sketch.limb(joints, wide, Part.LOWER_SECOND, lower.split, lower.length)
        if lower.stripe and side * sketch.sin < 0.5:
            sketch.limb(joints, wide, Part.LOWER_SECOND, 0.0, lower.length, _outer(figure, side))
    if lower.boots:
        boots = [radius + 0.006 for radius in (wide[0], max(bare[1], 0.9 * wide[1]), 0.8 * thick)]
        sketch.limb(joints, boots, Part.SHOES, 1 - lower.boots)


def _outer(figure: Figure, side: int) -> float:
    """Return how far across the outer side of a leg appears; normals point right in pictures."""
    return side * 0.72 * figure.sketch.cos or 0.01


def draw_lower(figure: Figure) -> None:
    """Draw a skirt, or the seat of trousers."""
    lower, body, sketch = figure.outfit.lower, figure.body, figure.sketch
    deep = body.depth
    rows = [(figure.waist, body.waist, deep * body.waist, 0.0)]
    rows.append((figure.crotch - 0.04, body.hips, deep * body.hips, 0.0))
    if lower.kind != "skirt":
        end = figure.crotch + 0.012
        sketch.tube([*rows, (end, 0.98 * body.hips, 0.9 * deep * body.hips, 0.0)], Part.LOWER)
        return
    end = figure.crotch + lower.length * (ANKLE - figure.crotch)
    wide = body.hips * (0.85 + 0.55 * lower.flare)
    rows.append((end, wide, deep * wide + 0.05, 0.0))
    sketch.tube(rows, Part.LOWER)
    if lower.split < 1:
        split = figure.crotch + lower.split * (ANKLE - figure.crotch)
        sketch.tube(rows, Part.LOWER_SECOND, split)
    if lower.stripe:
        for angle in (_LEFT, -_LEFT):
            sketch.tube(rows, Part.LOWER_SECOND, angles=(angle - 0.35, angle + 0.35))


def sleeve_cloth(upper: Upper) -> tuple[Part, tuple[Part, float, float] | None]:
    """Return a sleeve's cloth and, where there is one, a stripe on it: part, from, to."""
    cloth = Part.INNER if upper.kind == "vest" else Part.UPPER
    return {
        "same": (cloth, None),
        "second": (Part.INNER if upper.kind == "vest" else Part.SECOND, None),
        "cuffs": (cloth, (Part.TRIM, 0.8, 1.0)),
        "armband": (cloth, (Part.TRIM, 0.28, 0.5)),
    }[upper.sleeves]


def draw_trunk(figure: Figure) -> None:
    """Draw inner and upper garment with their blocks, belt, pockets and closure."""
    upper, sketch, rows = figure.outfit.upper, figure.sketch, figure.trunk
    if upper.inner_hem:
        sketch.tube(figure.rows(figure.inner_hem(), 0.004), Part.INNER)
    sketch.tube(rows, Part.UPPER)
    _draw_blocks(figure)
    if upper.pattern == "logo":
        for middle in (_FRONT, _BACK):
            y = figure.down(0.42)
            sketch.tube(rows, Part.PATTERN, y - 0.03, y + 0.03, (middle - 0.5, middle + 0.5))
    _draw_front(figure)
    if upper.belt:
        sketch.tube(rows, Part.TRIM, figure.waist - 0.016, figure.waist + 0.016)
    _draw_pockets(figure)


def _draw_blocks(figure: Figure) -> None:
    upper, sketch, rows = figure.outfit.upper, figure.sketch, figure.trunk
    border = figure.down(upper.border)
    if upper.blocks == "yoke":
        sketch.tube(rows, Part.SECOND, None, figure.down(min(0.55, upper.border)))
    elif upper.blocks == "base":
        sketch.tube(rows, Part.SECOND, border)
    elif upper.blocks == "band":
        sketch.tube(rows, Part.SECOND, border - 0.035, border + 0.035)
    elif upper.blocks == "double":
        for y in (border - 0.05, border + 0.05):
            sketch.tube(rows, Part.SECOND, y - 0.02, y + 0.02)
    elif upper.blocks == "sides":
        for angle in (_LEFT, -_LEFT):
            sketch.tube(rows, Part.SECOND, angles=(angle - 0.85, angle + 0.85))


def _draw_front(figure: Figure) -> None:
    upper, sketch, rows = figure.outfit.upper, figure.sketch, figure.trunk
    if upper.closure == "open":
        sketch.tube(rows, Part.INNER, angles=(-0.42, 0.42))
    elif upper.closure == "zip":
        sketch.tube(rows, Part.SEAM, angles=(-0.11, 0.11))


def _draw_pockets(figure: Figure) -> None:
    upper, sketch, rows = figure.outfit.upper, figure.sketch, figure.trunk
    if upper.pockets == "none":
        return
    high, low = (0.27, 0.4) if upper.pockets == "chest" else (0.72, 0.86)
    for side in (-1, 1):
        angles = (0.35, 1.0) if side > 0 else (-1.0, -0.35)
        sketch.tube(rows, Part.TRIM, figure.down(high), figure.down(low), angles)
