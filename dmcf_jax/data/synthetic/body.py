"""The figure of a made-up person: a map of parts, the same in all spectra.

Drawn in layers from back to front, in the body's own coordinates (see `synthetic_sketch`).
"""

import numpy as np
from jaxtyping import UInt8

from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.person import Person
from dmcf_jax.data.synthetic.sketch import (
    ANKLE,
    Placement,
    Point,
    Points,
    Pose,
    Sketch,
)


def draw_parts(
    person: Person, pose: Pose, placement: Placement, size: tuple[int, int]
) -> UInt8[np.ndarray, "h w"]:
    """Return the `Part` at each pixel of a canvas `SUPERSAMPLING` times `size` (height, width)."""
    sketch = Sketch(person, pose, placement, size)
    for draw_layer in (_behind, _legs, _lower, _inner, _torso, _head, _arms, _carried):
        draw_layer(sketch)
    return _with_pattern(sketch)


def _cut(joints: Points, fraction: float) -> list[Point]:
    """Return the part of a two-bone limb that a garment of this length covers."""
    (start, middle, end), along = joints, 2 * fraction
    if along <= 1:
        return [start, _between(start, middle, along)]
    return [start, middle, _between(middle, end, along - 1)]


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _behind(sketch: Sketch) -> None:
    outfit, body, top = sketch.outfit, sketch.body, sketch.shoulder
    if outfit.bag == "backpack" and sketch.pose.view == "front":
        sketch.oval(0.0, top + 0.14, body.shoulders * 1.12 * outfit.bag_size, 0.11, Part.BAG)
    if outfit.hair in ("long", "bob") and sketch.pose.view == "front":
        fall = 0.10 if outfit.hair == "long" else 0.035
        half = [(body.head * 0.46, body.head * 0.4), (body.head * 0.60, body.head + fall)]
        sketch.mirrored(half, Part.HAIR)


def _legs(sketch: Sketch) -> None:
    thick = 1.35 * sketch.body.limbs
    for joints in sketch.legs:
        sketch.limb(joints, (1.2 * thick, 0.95 * thick, 0.6 * thick), Part.SKIN)
        foot = joints[-1]
        sketch.oval(foot[0], foot[1] + 0.022, 0.036, 0.024, Part.SHOES)
        if sketch.outfit.boots:
            boot = [_between(joints[2], joints[1], 2 * sketch.outfit.boots), foot]
            sketch.limb(boot, (0.95 * thick, 0.85 * thick), Part.SHOES)


def _lower(sketch: Sketch) -> None:
    outfit, body = sketch.outfit, sketch.body
    length = outfit.lower_length
    half = [(body.waist, sketch.waist), (body.hips, sketch.crotch - 0.04)]
    if outfit.lower == "skirt":
        end = sketch.crotch + length * (ANKLE - sketch.crotch)
        sketch.mirrored([*half, (body.hips * (0.7 + 0.45 * outfit.flare), end)], Part.LOWER)
        return
    wide = 1.35 * body.limbs
    for joints in sketch.legs:
        widths = (1.15 * wide, wide * (0.6 + 0.4 * outfit.flare), wide * (0.2 + 0.6 * outfit.flare))
        covered = _cut(joints, length)
        sketch.limb(covered, widths[: len(covered)], Part.LOWER)
    sketch.mirrored([*half, (body.hips, sketch.crotch + 0.01)], Part.LOWER)
    sketch.stroke([(0.0, sketch.crotch), (0.0, sketch.crotch + 0.05)], 0.012, Part.LOWER_FOLD)


def _hem(sketch: Sketch, hem: float) -> float:
    if hem <= 1:
        return sketch.waist + hem * (sketch.crotch - sketch.waist)
    return sketch.crotch + (hem - 1) * (sketch.knee - sketch.crotch)


def _trunk(sketch: Sketch, hem: float, spare: float) -> list[Point]:
    body, end = sketch.body, _hem(sketch, hem)
    low = body.waist + min(1.0, hem) * (body.hips - body.waist) + spare
    low += 0.03 * max(0.0, hem - 1) * sketch.outfit.flare
    neck = [(0.03, sketch.shoulder - 0.015), (body.shoulders * 0.8, sketch.shoulder + 0.008)]
    arm_hole, waist = (body.shoulders, sketch.shoulder + 0.04), (body.waist + spare, sketch.waist)
    return [*neck, arm_hole, waist, (low, end)]


def _inner(sketch: Sketch) -> None:
    outfit = sketch.outfit
    if outfit.inner_hem and outfit.upper != "t-shirt":
        sketch.mirrored(_trunk(sketch, min(2.2, outfit.hem + outfit.inner_hem), 0.0), Part.INNER)


def _torso(sketch: Sketch) -> None:
    outfit, front = sketch.outfit, sketch.pose.view == "front"
    spare = {"coat": 0.016, "jacket": 0.012, "t-shirt": 0.004}[outfit.upper]
    half, end = _trunk(sketch, outfit.hem, spare), _hem(sketch, outfit.hem)
    sketch.mirrored(half, Part.UPPER)
    if outfit.has_seam:
        low = half[-1][0]
        sketch.stroke([(-low, end - 0.008), (low, end - 0.008)], 0.018, Part.SEAM)
        if front and outfit.upper != "t-shirt":
            sketch.stroke([(0.0, sketch.shoulder), (0.0, end)], 0.014, Part.SEAM)
    if front and outfit.is_open:
        opening = [(0.028, sketch.shoulder - 0.01), (0.035, sketch.waist), (0.05, end)]
        sketch.mirrored(opening, Part.INNER)
    if outfit.pattern == "logo":
        sketch.oval(0.25 * sketch.body.shoulders * outfit.parting, sketch.shoulder + 0.09,
                    0.045, 0.035, Part.PATTERN)  # fmt: skip


def _head(sketch: Sketch) -> None:
    outfit, head, front = sketch.outfit, sketch.body.head, sketch.pose.view == "front"
    sketch.limb([(0.0, head * 0.8), (0.0, sketch.shoulder + 0.005)], (0.026, 0.03), Part.SKIN)
    if outfit.has_scarf:
        sketch.oval(0.0, sketch.shoulder - 0.012, 0.055, 0.026, Part.SCARF)
        tail = [(0.02 * outfit.parting, sketch.shoulder), (0.03 * outfit.parting, sketch.waist)]
        sketch.stroke(tail if front else tail[:1] * 2, 0.035, Part.SCARF)
    sketch.oval(0.0, head / 2, head * 0.37, head / 2, Part.FACE if front else Part.HAIR)
    if front and outfit.has_glasses:
        sketch.stroke([(-head * 0.3, head * 0.48), (head * 0.3, head * 0.48)], 0.024, Part.GLASSES)
    _hair(sketch, head, front)
    _hat(sketch, head, front)


def _hair(sketch: Sketch, head: float, front: bool) -> None:
    outfit = sketch.outfit
    sketch.oval(0.0, head * 0.24, head * 0.40, head * (0.24 if front else 0.26), Part.HAIR)
    if outfit.hair == "bun":
        sketch.oval(0.0, 0.0, 0.026, 0.022, Part.HAIR)
    if front:
        return
    fall = {"short": 0.0, "bun": 0.0, "bob": 0.03, "long": 0.12, "tail": 0.10}[outfit.hair]
    wide = {"tail": 0.2}.get(outfit.hair, 0.46) * head
    if fall:
        sketch.mirrored([(head * 0.36, head * 0.4), (wide, head + fall)], Part.HAIR)
    else:
        sketch.oval(0.0, head * 0.92, head * 0.24, head * 0.12, Part.SKIN)


def _hat(sketch: Sketch, head: float, front: bool) -> None:
    hat = sketch.outfit.hat
    if hat == "none":
        return
    if hat == "brim":
        sketch.oval(0.0, head * 0.30, head * 0.72, head * 0.10, Part.HAT)
    crown = {"cap": 0.30, "beanie": 0.36, "brim": 0.30}[hat]
    sketch.oval(0.0, head * (crown - 0.08), head * 0.43, head * crown, Part.HAT)
    if hat == "cap" and front:
        sketch.oval(0.0, head * 0.44, head * 0.42, head * 0.09, Part.HAT)
    if hat == "beanie":
        sketch.oval(0.0, -0.012, 0.02, 0.018, Part.HAT)


def _arms(sketch: Sketch) -> None:
    body, wide = sketch.body, 1.25 * sketch.body.limbs
    loose = 0.002 if sketch.outfit.upper == "t-shirt" else 0.008
    for joints in sketch.arms:
        sleeve = _cut(joints, sketch.outfit.sleeve)
        widths = [0.9 * wide + loose, 0.85 * wide + loose, 0.75 * wide + loose][: len(sleeve)]
        sketch.limb(joints, (wide, 0.7 * wide, 0.55 * wide), Part.SKIN)
        sketch.limb(sleeve, [width + 0.008 for width in widths], Part.FOLD)
        sketch.limb(sleeve, widths, Part.UPPER)
        sketch.oval(*joints[-1], 0.7 * body.limbs, 0.026, Part.SKIN)


def _carried(sketch: Sketch) -> None:
    outfit, top, body = sketch.outfit, sketch.shoulder, sketch.body
    side, size = outfit.bag_side * sketch.mirror, outfit.bag_size
    if outfit.bag == "shoulder":
        hip = (side * body.hips * 1.15, sketch.waist + 0.06)
        sketch.stroke([(-side * body.shoulders * 0.6, top + 0.01), hip], 0.02, Part.STRAP)
        sketch.oval(*hip, 0.058 * size, 0.062 * size, Part.BAG)
    elif outfit.bag == "hand":
        _handbag(sketch, sketch.arms[0 if side < 0 else 1][-1], size)
    elif outfit.bag == "backpack":
        _backpack(sketch, top, body.shoulders, size)


def _handbag(sketch: Sketch, hand: Point, size: float) -> None:
    x, y = hand[0], hand[1] + 0.045
    sketch.stroke([hand, (x, y)], 0.016, Part.STRAP)
    top, bottom = 0.04 * size, 0.052 * size
    low = y + 0.11 * size
    sketch.polygon([(x - top, y), (x + top, y), (x + bottom, low), (x - bottom, low)], Part.BAG)


def _backpack(sketch: Sketch, top: float, shoulders: float, size: float) -> None:
    if sketch.pose.view == "back":
        half = [(0.4 * shoulders, top + 0.01), (0.75 * shoulders, top + 0.05)]
        sketch.mirrored([*half, (0.8 * shoulders * size, top + 0.22 * size)], Part.BAG)
        return
    for side in (-1, 1):
        strap = [(side * 0.55 * shoulders, top), (side * 0.68 * shoulders, top + 0.17)]
        sketch.stroke(strap, 0.022, Part.STRAP)


def _with_pattern(sketch: Sketch) -> UInt8[np.ndarray, "h w"]:
    parts, kind = np.array(sketch.image), sketch.outfit.pattern
    if kind not in ("stripes", "checks"):
        return parts
    period = sketch.outfit.pattern_period
    down = (np.arange(parts.shape[0]) - sketch.origin[1]) / sketch.unit
    across = (np.arange(parts.shape[1]) - sketch.origin[0]) / sketch.wide
    marks = (down % period < period / 2)[:, None]
    if kind == "checks":
        marks = marks ^ (across % period < period / 2)[None, :]
    parts[(parts == Part.UPPER) & marks] = Part.PATTERN
    return parts
