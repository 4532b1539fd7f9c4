"""What a camera looks at: a synthetic person in front of a background, in one spectrum.

Figure and background are put together as bytes, which Pillow does fast, and lit as floats. Light
before any camera is RGB reflectance times illumination in 0..1 for visible light and one channel
otherwise; thermal scenes are in units where 0 is ambient and 1 bare skin.
"""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageChops

from dmcf_jax.data.synthetic.background import draw_background
from dmcf_jax.data.synthetic.noise import gaussian_noise
from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.person import Person
from dmcf_jax.data.synthetic.sketch import SUPERSAMPLING

SPECTRA = ("visible", "thermal", "near_infrared")
_RANGES = {"visible": (0.0, 1.0), "thermal": (-0.6, 1.6), "near_infrared": (0.0, 1.0)}
_COARSE = 4  # shading is computed this much smaller than the scene


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
    mask = Image.fromarray((parts > 0).view(np.uint8) * np.uint8(255))
    cover = mask.reduce(SUPERSAMPLING)
    behind = _behind((cover.height, cover.width), spectrum, draw)
    gaps = ImageChops.invert(cover)
    if spectrum == "visible":
        gaps = Image.merge("RGB", (gaps, gaps, gaps))
    figure = _painted(parts, _palette(person, spectrum, draw), spectrum)
    levels = np.asarray(ImageChops.add(figure, ImageChops.multiply(behind, gaps)))
    low, high = _RANGES[spectrum]
    light = levels.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
    return light.reshape(*levels.shape[:2], -1) * _shade(mask, cover, spectrum, draw)[..., None]


def _behind(size: tuple[int, int], spectrum: str, draw: np.random.Generator) -> Image.Image:
    if spectrum != "thermal":
        bands = 3 if spectrum == "visible" else 1
        return draw_background(size, bands, draw.uniform(0.2, 0.75), 1.0, draw)
    low, high = _RANGES["thermal"]
    warmth = min(0.6, max(-0.4, draw.normal(0.03, 0.2)))
    tone = (warmth - low) / (high - low)
    return draw_background(size, 1, tone, draw.uniform(0.4, 1.6) / (high - low), draw)


def _palette(
    person: Person, spectrum: str, draw: np.random.Generator
) -> UInt8[np.ndarray, "part c"]:
    """Return the light of every part as a byte, 0 for the background."""
    table = person.materials.tables[spectrum].copy()
    table[Part.OCCLUDER :] = draw.random(table[Part.OCCLUDER :].shape) * 0.75 + 0.05
    if spectrum == "thermal":
        # Prints have the cloth's own warmth: they vanish in the far infrared.
        table += 0.03 * draw.standard_normal(table.shape)
        table[Part.PATTERN] = table[Part.UPPER]
    low, high = _RANGES[spectrum]
    levels = ((table - low) * (255 / (high - low))).clip(0, 255).astype(np.uint8)
    levels[0] = 0
    return levels


def _painted(parts: np.ndarray, palette: np.ndarray, spectrum: str) -> Image.Image:
    """Return the figure in its light, black behind it, in the scene's size."""
    image = Image.fromarray(parts)
    if spectrum != "visible":
        return image.point(palette.ravel().tolist() + [0] * (256 - len(palette))).reduce(
            SUPERSAMPLING
        )
    image.putpalette(palette.tobytes())
    return image.convert("RGB").reduce(SUPERSAMPLING)


def _shade(
    mask: Image.Image, cover: Image.Image, spectrum: str, draw: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Return factors that round the limbs, fold the cloth and light one side of the figure."""
    depth = np.asarray(mask.reduce(SUPERSAMPLING * _COARSE), np.float32) * np.float32(1 / 255)
    slope = np.zeros_like(depth)
    slope[:, 1:-1] = depth[:, :-2] - depth[:, 2:]
    side = np.float32(draw.normal(0, 0.04 if spectrum == "thermal" else 0.2))
    folds = 1 + gaussian_noise(depth.shape, draw.uniform(0.03, 0.12), draw)
    relief = (np.float32(-0.46) + np.float32(0.46) * depth + side * slope + 1) * folds - 1
    relief = Image.fromarray(relief).resize(cover.size, Image.Resampling.BILINEAR)
    return 1 + np.asarray(relief) * (np.asarray(cover, np.float32) * np.float32(1 / 255))
