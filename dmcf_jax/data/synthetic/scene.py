"""What a camera looks at: a made-up person in front of a background, in one spectrum.

A scene is light before any camera: RGB reflectance times illumination in 0..1 for visible light,
one channel otherwise. Thermal scenes are in units where 0 is ambient and 1 bare skin.
"""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFilter

from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.person import Person
from dmcf_jax.data.synthetic.sketch import SUPERSAMPLING

SPECTRA = ("visible", "thermal", "near_infrared")
_THERMAL_RANGE = (-0.6, 1.6)


def light_scene(
    person: Person, parts: UInt8[np.ndarray, "H W"], spectrum: str, draw: np.random.Generator
) -> Float[np.ndarray, "h w c"]:
    """Return the scene that `parts` (supersampled) makes in `spectrum`; c is 3 or 1, float32."""
    size = (parts.shape[0] // SUPERSAMPLING, parts.shape[1] // SUPERSAMPLING)
    cover = _reduced(Image.fromarray((parts > 0).astype(np.uint8) * 255)) / 255
    figure = _painted(parts, _palette(person, spectrum, draw), spectrum)
    relief = _relief(cover[..., 0], spectrum, draw)
    behind = _background(size, spectrum, draw)
    return figure * relief[..., None] + (1 - cover) * behind


def _reduced(image: Image.Image) -> Float[np.ndarray, "h w c"]:
    pixels = np.asarray(image.reduce(SUPERSAMPLING), np.float32)
    return pixels.reshape(*pixels.shape[:2], -1)


def _palette(person: Person, spectrum: str, draw: np.random.Generator) -> np.ndarray:
    """Return the light of every part, 0 for the background, uint8 [part 3] or [part 1]."""
    materials = getattr(person.materials, spectrum)
    table = np.zeros((len(Part), 3 if spectrum == "visible" else 1))
    for part, light in materials.items():
        table[part] = light
    table[Part.OCCLUDER] = draw.uniform(0.05, 0.8, table.shape[1])
    if spectrum == "thermal":
        # Prints have the cloth's own warmth: they vanish in the far infrared.
        worn = table[1:] + draw.normal(0, 0.02, (len(Part) - 1, 1))
        worn[Part.PATTERN - 1] = worn[Part.UPPER - 1]
        table[1:] = (worn - _THERMAL_RANGE[0]) / (_THERMAL_RANGE[1] - _THERMAL_RANGE[0])
    return np.clip(table * 255, 0, 255).astype(np.uint8)


def _painted(parts: np.ndarray, palette: np.ndarray, spectrum: str) -> np.ndarray:
    image = Image.fromarray(parts)
    if spectrum == "visible":
        image.putpalette(palette.tobytes())
        return _reduced(image.convert("RGB")) / 255
    painted = _reduced(image.point(palette[:, 0].tolist() + [0] * (256 - len(palette)))) / 255
    if spectrum == "near_infrared":
        return painted
    cover = _reduced(Image.fromarray((parts > 0).astype(np.uint8)))
    low, high = _THERMAL_RANGE
    return painted * (high - low) + low * cover


def _relief(cover: np.ndarray, spectrum: str, draw: np.random.Generator) -> np.ndarray:
    """Return factors that round the limbs, fold the cloth and light one side, [h w]."""
    radius = 0.03 * cover.shape[0]
    soft = Image.fromarray((cover * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(radius))
    depth = np.asarray(soft, np.float32) / 255
    step = max(1, round(radius / 2))
    slope = np.roll(depth, step, 1) - np.roll(depth, -step, 1)
    side = float(draw.normal(0, 0.05 if spectrum == "thermal" else 0.30))
    folds = 1 + _cloud(cover.shape, (18, 9), draw.uniform(0.03, 0.12), draw)
    return (0.54 + 0.46 * depth + side * slope) * folds


def _cloud(shape, cells, spread: float, draw: np.random.Generator) -> np.ndarray:
    """Return smooth noise of zero mean with `cells` (down, across) grains, [h w]."""
    grains = draw.normal(0, spread, cells).astype(np.float32)
    return np.asarray(Image.fromarray(grains).resize(shape[::-1], Image.Resampling.BICUBIC))


def _background(size, spectrum: str, draw: np.random.Generator) -> np.ndarray:
    """Return ground, wall and clutter in this spectrum's units, [h w 3] or [h w 1]."""
    mode, bands = ("RGB", 3) if spectrum == "visible" else ("L", 1)
    base = draw.uniform(0.25, 0.7)
    image = Image.new(mode, size[::-1], _tone(base, bands, draw))
    _clutter(ImageDraw.Draw(image), size, base, bands, draw)
    image = image.filter(ImageFilter.BoxBlur(draw.uniform(0.3, 2.5)))
    light = np.asarray(image, np.float32).reshape(*size, bands) / 255
    light = light + _cloud(size, (24, 12), draw.uniform(0.01, 0.06), draw)[..., None]
    if spectrum == "thermal":
        return (light - base) * float(draw.uniform(0.4, 1.8))
    return np.clip(light, 0.02, 1)


def _clutter(brush: ImageDraw.ImageDraw, size, base: float, bands: int, draw) -> None:
    height, width = size
    horizon = draw.uniform(0.35, 0.95) * height
    tilt = draw.normal(0, 0.06) * height
    ground = [(0, horizon), (width, horizon + tilt), (width, height), (0, height)]
    brush.polygon(ground, fill=_tone(base + draw.normal(0, 0.12), bands, draw))
    for _ in range(draw.integers(3, 14)):
        left, top = draw.uniform(-0.3, 1.0) * width, draw.uniform(-0.3, 1.0) * height
        across, down = draw.exponential(0.25) * width, draw.exponential(0.4) * height
        box = [left, top, left + across + 1, top + down + 1]
        brush.rectangle(box, fill=_tone(base + draw.normal(0, 0.26), bands, draw))


def _tone(level: float, bands: int, draw: np.random.Generator) -> int | tuple[int, ...]:
    tone = np.clip((level + draw.normal(0, 0.04, bands)) * 255, 5, 250).astype(int).tolist()
    return tone[0] if bands == 1 else tuple(tone)
