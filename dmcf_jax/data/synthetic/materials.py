"""What a synthetic person's clothes, hair and skin look like in each spectrum.

Colour in visible light, warmth in the thermal band and reflectance in the near infrared are
drawn independently of each other, so that no spectrum tells another one's grey levels. Cloths
that touch differ in each spectrum, so that their border shows in all of them.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from dmcf_jax.data.synthetic.parts import Part

_CLOTH_COLOURS = np.array(
    [
        (24, 24, 28), (24, 24, 28), (48, 48, 54), (36, 42, 70), (36, 42, 70), (95, 95, 98),
        (140, 140, 142), (205, 205, 208), (222, 220, 214), (178, 158, 126), (92, 66, 48),
        (80, 84, 58), (160, 44, 46), (98, 34, 44), (52, 84, 150), (126, 160, 196),
        (56, 108, 78), (202, 140, 156), (206, 172, 66), (96, 72, 120), (60, 76, 104),
    ]
)  # fmt: skip
_HAIR_COLOURS = np.array(
    [(22, 19, 18), (38, 28, 24), (74, 52, 38), (138, 104, 70), (150, 148, 145)]
)
Light = np.ndarray | float  # RGB, or one band
SameLight = TypeVar("SameLight", np.ndarray, float)
_LUMINANCE = np.array([0.299, 0.587, 0.114])

# In this order each cloth is drawn to differ from those that it touches.
_NEIGHBOURS: dict[Part, tuple[Part, ...]] = {
    Part.UPPER: (),
    Part.SECOND: (Part.UPPER,),
    Part.TRIM: (Part.UPPER, Part.SECOND),
    Part.INNER: (Part.UPPER,),
    Part.LOWER: (Part.UPPER, Part.INNER),
    Part.LOWER_SECOND: (Part.LOWER,),
    Part.SOCKS: (Part.LOWER,),
    Part.SHOES: (Part.LOWER, Part.SOCKS),
    Part.BAG: (Part.UPPER, Part.SECOND, Part.LOWER),
    Part.FLAP: (Part.BAG, Part.UPPER),
    Part.HAT: (Part.HAIR,),
    Part.SCARF: (Part.UPPER, Part.SECOND),
    Part.MASK: (Part.FACE,),
}


@dataclasses.dataclass(frozen=True)
class Materials:
    """How each part looks in each spectrum.

    Attributes:
        visible: RGB in 0..1.
        thermal: warmth from 0 (ambient) to 1 (bare skin).
        near_infrared: reflectance in 0..1.
    """

    visible: dict[Part, tuple[float, float, float]]
    thermal: dict[Part, float]
    near_infrared: dict[Part, float]

    @functools.cached_property
    def tables(self) -> dict[str, Float[np.ndarray, "part c"]]:
        """Return for each spectrum a row for each part; parts of no material are 0."""
        tables = {}
        for spectrum, bands in (("visible", 3), ("thermal", 1), ("near_infrared", 1)):
            tables[spectrum] = np.zeros((len(Part), bands))
            for part, light in getattr(self, spectrum).items():
                tables[spectrum][part] = light
        return tables


def draw_materials(draw: np.random.Generator, upper: str) -> Materials:
    """Return materials for one person.

    Args:
        draw: random numbers of the person's materials alone.
        upper: kind of the upper garment; thicker ones let less warmth through.
    """
    return Materials(_draw_colours(draw), _draw_warmth(draw, upper), _draw_reflectance(draw))


def _contrasting(
    sample: Callable[[Part], SameLight], start: dict[Part, SameLight], least: float
) -> dict[Part, SameLight]:
    """Return a value for each cloth, `least` from its neighbours where eight tries suffice."""
    values = dict(start)
    for part, neighbours in _NEIGHBOURS.items():
        tries: list[tuple[float, SameLight]] = []
        for _ in range(8):
            value = sample(part)
            gaps = [abs(_grey(value) - _grey(values[other])) for other in neighbours]
            gap = min(gaps, default=1.0)
            tries.append((gap, value))
            if gap >= least:
                break
        values[part] = max(tries, key=lambda tried: tried[0])[1]  # the first of equal ones
    return values


def _grey(value: Light) -> float:
    return float(value @ _LUMINANCE) if np.ndim(value) else float(value)


def _draw_colours(draw: np.random.Generator) -> dict[Part, tuple[float, float, float]]:
    def pick(table: np.ndarray) -> np.ndarray:
        return np.clip(table[draw.integers(len(table))] / 255 + draw.normal(0, 0.03, 3), 0.03, 1)

    skin = np.array([0.80, 0.60, 0.49]) * draw.uniform(0.45, 1.1)
    own = {Part.FACE: skin, Part.SKIN: skin * 0.95, Part.HAIR: pick(_HAIR_COLOURS)}
    colours = _contrasting(lambda part: pick(_CLOTH_COLOURS), own, 0.14)
    colours |= {Part.PATTERN: pick(_CLOTH_COLOURS), Part.STRAP: colours[Part.BAG] * 0.85}
    colours |= {Part.FOLD: colours[Part.UPPER] * 0.62, Part.LOWER_FOLD: colours[Part.LOWER] * 0.62}
    colours |= {Part.SEAM: colours[Part.TRIM] * 0.8, Part.BRIM: colours[Part.HAT] * 0.7}
    return {part: (float(r), float(g), float(b)) for part, (r, g, b) in colours.items()}


def _draw_warmth(draw: np.random.Generator, upper: str) -> dict[Part, float]:
    thin = {"coat": 0.0, "jacket": 0.1, "shirt": 0.3, "vest": 0.1}[upper]
    ranges = {Part.UPPER: (0.15 + thin, 0.7 + thin), Part.LOWER: (0.3, 1.0)}
    ranges |= {Part.SHOES: (0.0, 0.5), Part.BAG: (-0.15, 0.35), Part.FLAP: (-0.1, 0.6)}
    ranges |= {Part.HAT: (0.1, 0.7), Part.SCARF: (0.0, 0.8), Part.INNER: (0.4, 1.05)}
    own = {Part.FACE: 1.05, Part.SKIN: draw.uniform(0.85, 1.0), Part.HAIR: draw.uniform(0.2, 0.6)}
    warmth = _contrasting(lambda part: draw.uniform(*ranges.get(part, (0.1, 1.0))), own, 0.2)
    cloth, lower, hat = warmth[Part.UPPER], warmth[Part.LOWER], warmth[Part.HAT]
    warmth |= {Part.PATTERN: cloth, Part.SEAM: cloth + draw.choice([-1, 1]) * 0.22}
    warmth |= {Part.FOLD: cloth + draw.uniform(-0.16, 0.16), Part.BRIM: hat - 0.12}
    warmth |= {Part.LOWER_FOLD: lower + draw.uniform(-0.16, 0.16), Part.STRAP: warmth[Part.BAG]}
    return {part: float(value) for part, value in warmth.items()}


def _draw_reflectance(draw: np.random.Generator) -> dict[Part, float]:
    own = {Part.FACE: draw.uniform(0.6, 0.8), Part.SKIN: 0.65, Part.HAIR: draw.uniform(0.08, 0.5)}
    bright = _contrasting(lambda part: draw.uniform(0.1, 0.95), own, 0.16)
    upper, lower = bright[Part.UPPER], bright[Part.LOWER]
    contrast = draw.choice([-1, 1]) * draw.uniform(0.2, 0.45)
    pattern = upper + (contrast if 0.05 < upper + contrast < 1 else -contrast)
    bright |= {Part.PATTERN: pattern, Part.FOLD: upper * 0.62, Part.LOWER_FOLD: lower * 0.62}
    bright |= {Part.SEAM: bright[Part.TRIM] * 0.8, Part.BRIM: bright[Part.HAT] * 0.7}
    bright |= {Part.STRAP: bright[Part.BAG] * 0.9}
    return {part: float(value) for part, value in bright.items()}
