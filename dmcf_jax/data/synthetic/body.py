"""The figure of a synthetic person: a map of parts, the same in all spectra.

Drawn in layers, from what is farthest from the camera to what is nearest.
"""

import numpy as np
from jaxtyping import UInt8

from dmcf_jax.data.synthetic import carried, garments, head
from dmcf_jax.data.synthetic.figure import Figure
from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.person import Person
from dmcf_jax.data.synthetic.pose import SIDES, Pose
from dmcf_jax.data.synthetic.sketch import View


def draw_parts(
    person: Person, pose: Pose, view: View, size: tuple[int, int]
) -> UInt8[np.ndarray, "h w"]:
    """Return the `Part` at each pixel of a canvas `SUPERSAMPLING` times as large as `size`.

    Args:
        person: who is drawn.
        pose: the body at this instant.
        view: how it is seen.
        size: height and width of the picture.
    """
    figure = Figure(person, pose, view, size)
    carried.draw_behind(figure)
    head.draw_behind(figure)
    depths = [figure.sketch.near(arm[1][0], arm[1][2]) for arm in figure.arms]
    _draw_arms(figure, [index for index in (0, 1) if depths[index] < -0.05])
    _draw_legs(figure)
    garments.draw_lower(figure)
    garments.draw_trunk(figure)
    head.draw(figure)
    carried.draw_on_trunk(figure)
    _draw_arms(figure, [index for index in (0, 1) if depths[index] >= -0.05])
    carried.draw_before(figure)
    return _with_print(figure)


def _draw_legs(figure: Figure) -> None:
    sketch = figure.sketch
    order = sorted((0, 1), key=lambda leg: sketch.near(*figure.legs[leg][1][::2]))
    for leg in order:
        joints, side = figure.legs[leg], SIDES[leg]
        _draw_foot(figure, joints[2])
        garments.draw_leg(figure, joints, side)


def _draw_foot(figure: Figure, ankle: tuple[float, float, float]) -> None:
    sketch, (x, y, z) = figure.sketch, ankle
    across = sketch.half_width(0.027, 0.055)
    sketch.oval((x, y + 0.024, z + 0.035), across, 0.023, Part.SHOES)


def _draw_arms(figure: Figure, which: list[int]) -> None:
    upper, thick = figure.outfit.upper, 1.15 * figure.body.limbs
    sketch, sleeve = figure.sketch, upper.sleeve
    spare = 0.0 if upper.kind == "shirt" else 0.006
    radii = (1.05 * thick + spare, 0.85 * thick + spare, 0.68 * thick + spare)
    bare = (thick, 0.75 * thick, 0.55 * thick)
    outline = tuple(radius + 0.008 for radius in radii)
    cloth, end = garments.sleeve_cloth(upper)
    for arm in which:
        joints = figure.arms[arm]
        sketch.limb(joints, outline, Part.FOLD, 0.1, sleeve)
        if sleeve < 0.95:
            sketch.limb(joints, bare, Part.SKIN, max(0.0, sleeve - 0.1))
        sketch.oval(joints[2], 0.62 * figure.body.limbs, 0.024, Part.SKIN)
        sketch.limb(joints, radii, cloth, 0.0, sleeve)
        sketch.oval(joints[0], 0.8 * radii[0], 0.7 * radii[0], cloth)
        if end is not None:
            sketch.limb(joints, radii, end[0], end[1] * sleeve, end[2] * sleeve)


def _with_print(figure: Figure) -> UInt8[np.ndarray, "h w"]:
    """Print stripes on the upper garment; prints vanish in the thermal band."""
    parts = np.array(figure.sketch.image)
    if figure.outfit.upper.pattern == "stripes":
        period = max(4, round(0.05 * figure.sketch.unit))
        start = int(figure.sketch.origin[1])
        rows = ((np.arange(len(parts)) - start) % period) < period // 2
        parts[(parts == Part.UPPER) & rows[:, None]] = Part.PATTERN
    return parts
