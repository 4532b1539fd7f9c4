"""What a camera looks at: a synthetic person in front of a background, in one spectrum.

A scene is light before any camera: RGB reflectance times illumination in 0..1 for visible light,
one channel otherwise. Thermal scenes are in units where 0 is ambient and 1 bare skin.
"""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageFilter

from dmcf_jax.data.synthetic.background import draw_background, smooth_noise
from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.person import Person
from dmcf_jax.data.synthetic.sketch import SUPERSAMPLING

SPECTRA = ("visible", "thermal", "near_infrared")
_THERMAL_RANGE = (-0.6, 1.6)


def light_scene(
    person: Person, parts: UInt8[np.ndarray, "H W"], spectrum: str, draw: np.random.Generator
) -> Float[np.ndarray, "h w c"]:
    """Return the scene that a map of parts makes, float32; c is 3 for visible light, else 1.

    Args:
      person: whose materials are seen.
      parts: map of parts, `SUPERSAMPLING` times as large as the scene.
      spectrum: one of `SPECTRA`.
      draw: random numbers of this picture.
    """
    cover = _reduced(Image.fromarray((parts > 0).view(np.uint8) * np.uint8(255)))
    figure = _painted(parts, _palette(person, spectrum, draw), spectrum)
    relief = _relief(cover, spectrum, draw)
    gaps = 1 - cover.astype(np.float32)[..., None] * np.float32(1 / 255)
    behind = _behind(cover.shape, spectrum, draw)
    if spectrum == "thermal":
        low, high = _THERMAL_RANGE
        figure = figure * np.float32(high - low) + np.float32(low) * (1 - gaps)
    return figure * relief[..., None] + gaps * behind


def _reduced(image: Image.Image) -> UInt8[np.ndarray, "h w *c"]:
    return np.asarray(image.reduce(SUPERSAMPLING))


def _palette(
    person: Person, spectrum: str, draw: np.random.Generator
) -> UInt8[np.ndarray, "part c"]:
    """Return the light of every part, 0 for the background."""
    materials = getattr(person.materials, spectrum)
    table = np.zeros((len(Part), 3 if spectrum == "visible" else 1))
    table[list(materials)] = np.reshape(list(materials.values()), (len(materials), -1))
    table[Part.OCCLUDER :] = draw.uniform(0.05, 0.8, table[Part.OCCLUDER :].shape)
    if spectrum == "thermal":
        # Prints have the cloth's own warmth: they vanish in the far infrared.
        worn = table[1:] + draw.normal(0, 0.03, (len(Part) - 1, 1))
        worn[Part.PATTERN - 1] = worn[Part.UPPER - 1]
        table[1:] = (worn - _THERMAL_RANGE[0]) / (_THERMAL_RANGE[1] - _THERMAL_RANGE[0])
    return np.clip(table * 255, 0, 255).astype(np.uint8)


def _painted(
    parts: np.ndarray, palette: np.ndarray, spectrum: str
) -> Float[np.ndarray, "h w c"]:
    """Return the figure's light, black behind it."""
    image = Image.fromarray(parts)
    if spectrum == "visible":
        image.putpalette(palette.tobytes())
        image = image.convert("RGB")
    else:
        image = image.point(palette[:, 0].tolist() + [0] * (256 - len(palette)))
    painted = _reduced(image).astype(np.float32) * np.float32(1 / 255)
    return painted.reshape(*painted.shape[:2], -1)


def _relief(
    cover: UInt8[np.ndarray, "h w"], spectrum: str, draw: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Return factors that round the limbs, fold the cloth and light one side."""
    radius = 0.03 * cover.shape[0]
    soft = Image.fromarray(cover).filter(ImageFilter.BoxBlur(radius))
    depth = np.asarray(soft, np.float32) * np.float32(1 / 255)
    step = max(1, round(radius / 2))
    slope = np.zeros_like(depth)
    slope[:, step:-step] = depth[:, : -2 * step] - depth[:, 2 * step :]
    side = np.float32(draw.normal(0, 0.05 if spectrum == "thermal" else 0.30))
    folds = 1 + smooth_noise(cover.shape, (20, 10), draw.uniform(0.03, 0.12), draw)
    return (np.float32(0.54) + np.float32(0.46) * depth + side * slope) * folds


def _behind(
    size: tuple[int, int], spectrum: str, draw: np.random.Generator
) -> Float[np.ndarray, "h w c"]:
    """Return the background in the units of this spectrum."""
    light = draw_background(size, 3 if spectrum == "visible" else 1, draw)
    if spectrum == "thermal":
        return (light - light.mean() + np.float32(draw.normal(0.05, 0.2))) * np.float32(
            draw.uniform(0.4, 1.6)
        )
    return light.clip(0.02, 1)
