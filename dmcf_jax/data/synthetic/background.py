"""What is behind and before a synthetic person: walls, ground, clutter, other people, posts."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from dmcf_jax.data.synthetic.noise import gaussian_noise
from dmcf_jax.data.synthetic.parts import Part

_CLUTTER = (6, 22)  # how many things are behind a person
_DETAIL = 2  # a background is drawn this much smaller than the picture
_OCCLUDED = 0.16


def draw_background(
    size: tuple[int, int], bands: int, tone: float, contrast: float, draw: np.random.Generator
) -> Image.Image:
    """Return what is behind a person, unrelated from picture to picture.

    Args:
        size: height and width of the picture.
        bands: 3 for colour, 1 for grey.
        tone: of most of it, 0..1.
        contrast: 1 is usual.
        draw: random numbers of this picture.
    """
    height, width = size[0] // _DETAIL, size[1] // _DETAIL
    image = Image.new("L" if bands == 1 else "RGB", (width, height))
    spread, texture = draw.random(2).tolist()
    tones = _Tones(tone, contrast * (0.06 + 0.24 * spread), bands, draw)
    brush = ImageDraw.Draw(image)
    _wall_and_ground(brush, height, width, tones, draw)
    count = int(draw.integers(*_CLUTTER))
    for numbers in draw.random((count, 6)).tolist():
        _thing(brush, numbers, height, width, tones)
    grains = gaussian_noise((height, width), 23 * contrast * texture, draw)
    levels = np.asarray(image) + (grains if bands == 1 else grains[..., None])
    image = Image.fromarray(levels.clip(5, 250).astype(np.uint8))
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR)


class _Tones:
    """Tones around a base, drawn in advance: a call for each would take most of the time."""

    def __init__(self, base: float, spread: float, bands: int, draw: np.random.Generator):
        self.bands, self.next = bands, 0
        levels = base + spread * draw.standard_normal((64, 1))
        levels = levels + 0.04 * draw.standard_normal((64, bands))
        self.levels = np.clip(levels * 255, 5, 250).astype(int).tolist()

    def take(self) -> int | tuple[int, ...]:
        """Return the next tone in the form that Pillow fills with."""
        self.next = (self.next + 1) % 64
        tone = self.levels[self.next]
        return tone[0] if self.bands == 1 else tuple(tone)


def _wall_and_ground(
    brush: ImageDraw.ImageDraw, height: int, width: int, tones: _Tones, draw: np.random.Generator
) -> None:
    horizon = draw.uniform(0.3, 0.98) * height
    tilt = draw.normal(0, 0.08) * height
    brush.rectangle([0, 0, width, height], fill=tones.take())
    ground = [(0, horizon), (width, horizon + tilt), (width, height), (0, height)]
    brush.polygon(ground, fill=tones.take())


def _thing(
    brush: ImageDraw.ImageDraw, numbers: list[float], height: int, width: int, tones: _Tones
) -> None:
    """Draw a box, a post, a window front, another person or foliage."""
    kind, x, y, across, down, tilt = numbers
    left, top, tone = (1.3 * x - 0.3) * width, (1.3 * y - 0.3) * height, tones.take()
    if kind < 0.3:
        size = (left + 0.6 * across * width + 1, top + 0.6 * down * height + 1)
        brush.rectangle([left, top, *size], fill=tone)
    elif kind < 0.5:
        end = ((x + 0.6 * (tilt - 0.5)) * width, (down + 0.3) * height)
        brush.line([(x * width, -1), end], fill=tone, width=1 + int(3 * across))
    elif kind < 0.65:
        step = 3 + int(6 * across)
        for row in range(int(top), int(top + down * height), step):
            right = left + width * (0.2 + 0.5 * tilt)
            brush.rectangle([left, row, right, row + step // 2], fill=tone)
    elif kind < 0.85:
        _bystander(brush, (1.4 * x - 0.2) * width, (0.5 * y - 0.1) * height, height, tones, down)
    else:
        blob = (across * 0.3 * width + 2, down * 0.15 * height + 2)
        brush.ellipse([left, top, left + 2 * blob[0], top + 2 * blob[1]], fill=tone)


def _bystander(
    brush: ImageDraw.ImageDraw, x: float, top: float, height: int, tones: _Tones, share: float
) -> None:
    tall = (0.5 + 0.5 * share) * height
    wide = 0.13 * tall
    head, trunk = 0.14 * tall, 0.5 * tall
    brush.ellipse([x - 0.4 * wide, top, x + 0.4 * wide, top + head], fill=tones.take())
    brush.rectangle([x - wide, top + head, x + wide, top + trunk], fill=tones.take())
    tone = tones.take()
    for side in (-0.55, 0.55):
        foot = [(x + side * wide, top + trunk), (x + 1.4 * side * wide, top + tall)]
        brush.line(foot, fill=tone, width=max(1, int(0.7 * wide)))


def occlude(parts: UInt8[np.ndarray, "H W"], draw: np.random.Generator) -> None:
    """Put posts, a railing, a car's bonnet or a passer-by before some figures, in place."""
    if draw.random() >= _OCCLUDED:
        return
    height, width = parts.shape
    kind, place, size = draw.random(3).tolist()
    if kind < 0.35:
        parts[round((0.72 + 0.25 * place) * height) :] = Part.OCCLUDER
    elif kind < 0.7:
        left = round((0.95 * place) * width)
        parts[:, left : left + round((0.05 + 0.12 * size) * width)] = Part.OCCLUDER
    elif kind < 0.85:
        top = round((0.5 + 0.3 * place) * height)
        parts[top : top + 6] = Part.OCCLUDER
        parts[top:, :: max(8, round((0.1 + 0.2 * size) * width))] = Part.OTHER_OCCLUDER
    else:
        edge = round((0.1 + 0.2 * size) * width)
        side = slice(0, edge) if place < 0.5 else slice(width - edge, None)
        parts[round(0.12 * height) :, side] = Part.OCCLUDER
        parts[round(0.5 * height) :, side] = Part.OTHER_OCCLUDER
