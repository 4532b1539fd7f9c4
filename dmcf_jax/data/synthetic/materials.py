"""What a made-up person's clothes, hair and skin look like in each spectrum.

Colour under visible light, warmth in the thermal band and reflectance in the near infrared are
drawn independently of each other, so that no spectrum tells another one's grey levels.
"""

import dataclasses

import numpy as np

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
_CLOTHES = (Part.UPPER, Part.INNER, Part.SCARF, Part.LOWER, Part.SHOES, Part.BAG, Part.HAT)


@dataclasses.dataclass(frozen=True)
class Materials:
    """How each part looks in each spectrum.

    `visible` holds RGB in 0..1, `thermal` warmth from 0 (ambient) to 1 (bare skin) and
    `near_infrared` reflectance in 0..1.
    """

    visible: dict[Part, tuple[float, float, float]]
    thermal: dict[Part, float]
    near_infrared: dict[Part, float]


def draw_materials(draw: np.random.Generator, upper: str) -> Materials:
    """Return materials for somebody whose upper garment is `upper`, thicker meaning colder."""
    return Materials(_draw_colours(draw), _draw_warmth(draw, upper), _draw_reflectance(draw))


def _draw_colours(draw: np.random.Generator) -> dict[Part, tuple[float, float, float]]:
    def pick(table: np.ndarray) -> np.ndarray:
        return np.clip(table[draw.integers(len(table))] / 255 + draw.normal(0, 0.03, 3), 0.03, 1)

    colours = {part: pick(_CLOTH_COLOURS) for part in _CLOTHES}
    skin = np.array([0.80, 0.60, 0.49]) * draw.uniform(0.45, 1.1)
    colours |= {Part.FACE: skin, Part.SKIN: skin * 0.95, Part.HAIR: pick(_HAIR_COLOURS)}
    colours |= {Part.PATTERN: pick(_CLOTH_COLOURS), Part.STRAP: colours[Part.BAG] * 0.85}
    colours |= {Part.FOLD: colours[Part.UPPER] * 0.6, Part.LOWER_FOLD: colours[Part.LOWER] * 0.6}
    colours |= {Part.SEAM: colours[Part.UPPER] * 0.7, Part.GLASSES: np.full(3, 0.1)}
    return {part: tuple(map(float, colour)) for part, colour in colours.items()}


def _draw_warmth(draw: np.random.Generator, upper: str) -> dict[Part, float]:
    upper_range = {"coat": (0.15, 0.7), "jacket": (0.25, 0.85), "t-shirt": (0.5, 0.95)}
    cloth, lower = draw.uniform(*upper_range[upper]), draw.uniform(0.3, 0.95)
    warmth = {Part.FACE: 1.0, Part.SKIN: draw.uniform(0.8, 1.0), Part.UPPER: cloth}
    warmth |= {Part.PATTERN: cloth, Part.FOLD: cloth + draw.uniform(-0.15, 0.2)}
    warmth |= {Part.SEAM: cloth + draw.uniform(0.12, 0.35), Part.INNER: draw.uniform(0.5, 1.0)}
    warmth |= {Part.LOWER: lower, Part.LOWER_FOLD: lower + draw.uniform(-0.15, 0.15)}
    cold = {Part.HAIR: 0.7, Part.HAT: 0.6, Part.SCARF: 0.5, Part.GLASSES: 0.2, Part.SHOES: 0.4}
    cold |= {Part.BAG: 0.25, Part.STRAP: 0.25}
    return warmth | {part: draw.uniform(most - 0.45, most) for part, most in cold.items()}


def _draw_reflectance(draw: np.random.Generator) -> dict[Part, float]:
    bright = {part: draw.uniform(0.12, 0.95) for part in _CLOTHES}
    upper, lower = bright[Part.UPPER], bright[Part.LOWER]
    contrast = draw.choice([-1, 1]) * draw.uniform(0.2, 0.45)
    pattern = upper + (contrast if 0.05 < upper + contrast < 1 else -contrast)
    bright |= {Part.FACE: draw.uniform(0.6, 0.8), Part.SKIN: 0.65, Part.PATTERN: pattern}
    bright |= {Part.HAIR: draw.uniform(0.08, 0.5), Part.GLASSES: 0.2, Part.FOLD: upper * 0.6}
    bright |= {Part.LOWER_FOLD: lower * 0.6, Part.SEAM: upper * draw.uniform(0.6, 1.3)}
    return bright | {Part.STRAP: bright[Part.BAG] * 0.9}
