"""What a camera makes of a scene: exposure, colour cast, haze, blur, noise and small sensors.

Each camera of a world has habits of its own and every picture varies around them, because gain,
offset and polarity must tell nothing about a person.
"""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageFilter

from dmcf_jax.data.synthetic.noise import gaussian_noise
from dmcf_jax.data.synthetic.parts import Stream, numbered_generator

_SENSOR_HEIGHTS = {"visible": (80, 220), "thermal": (72, 120), "near_infrared": (80, 180)}


@dataclasses.dataclass(frozen=True)
class Camera:
    """Habits of one camera, around which its pictures vary.

    Attributes:
        spectrum: 'visible', 'thermal' or 'near_infrared'.
        gain: logarithm of its gain.
        offset: grey levels added.
        cast: logarithm of the gain of each colour.
        noise: standard deviation in grey levels.
        pitch: how far it looks down, in radians.
    """

    spectrum: str
    gain: float
    offset: float
    cast: tuple[float, float, float]
    noise: float
    pitch: float


@functools.lru_cache(maxsize=64)
def make_camera(seed: int, camera: int, spectrum: str) -> Camera:
    """Return camera number `camera` of the world `seed`."""
    draw = numbered_generator(Stream.CAMERA, seed, camera)
    gain, offset, *cast = draw.normal(0, 1, 5).tolist()
    noise, pitch = draw.uniform(1, 4), draw.uniform(0.02, 0.3)
    red, green, blue = (0.06 * colour for colour in cast)
    return Camera(spectrum, 0.12 * gain, 12 * offset, (red, green, blue), noise, pitch)


def sensor_size(
    camera: Camera, size: tuple[int, int], draw: np.random.Generator
) -> tuple[int, int]:
    """Return how many rows and columns of the sensor see the box of a picture of this size."""
    low, high = _SENSOR_HEIGHTS[camera.spectrum]
    rows = min(size[0], round(draw.uniform(low, high) * size[0] / 128))
    return rows, max(1, round(rows * size[1] / size[0]))


def take_picture(
    scene: Float[np.ndarray, "h w c"],
    camera: Camera,
    size: tuple[int, int],
    draw: np.random.Generator,
) -> UInt8[np.ndarray, "H W 3"]:
    """Return the picture that a camera takes of a scene in its spectrum, three channels.

    Args:
        scene: light on the sensor, see `scene`.
        camera: the camera's habits.
        size: height and width of the picture.
        draw: random numbers of this picture.
    """
    expose = {"visible": _daylight, "thermal": _thermal, "near_infrared": _lamp}[camera.spectrum]
    sensed = _with_faults(expose(scene, camera, draw), camera, draw)
    image = _image(sensed).filter(ImageFilter.BoxBlur(_blur_radius(len(sensed), draw)))
    height, width = size
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    levels = np.asarray(image)
    return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)


def _daylight(scene: np.ndarray, camera: Camera, draw: np.random.Generator) -> np.ndarray:
    exposure, slope, *tint = draw.normal(0, 1, 5).tolist()
    cast = np.add(camera.cast, np.multiply(tint, 0.05))
    gains = 185 * np.exp(camera.gain + 0.32 * exposure + cast)
    down = np.linspace(-1, 1, scene.shape[0], dtype=np.float32)[:, None, None]
    levels = scene * (gains.astype(np.float32) * np.exp(np.float32(0.2 * slope) * down))
    if draw.random() < 0.2:
        haze = float(draw.uniform(0.15, 0.65))
        levels = (1 - haze) * levels + haze * float(draw.uniform(90, 200))
    return levels + camera.offset / 2


def _thermal(scene: np.ndarray, camera: Camera, draw: np.random.Generator) -> np.ndarray:
    look = draw.random()
    low, high = (70, 142) if look < 0.76 else (35, 60) if look < 0.9 else (150, 260)
    gain = float(draw.uniform(low, high) * np.exp(camera.gain))
    if draw.random() < 0.08:
        return 225 + camera.offset + float(draw.normal(0, 20)) - gain * scene
    return float(draw.normal(112, 40)) + camera.offset + gain * scene


def _lamp(scene: np.ndarray, camera: Camera, draw: np.random.Generator) -> np.ndarray:
    """Near infrared: the lamp beside the lens lights the middle and what is near."""
    height, width = scene.shape[:2]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] - float(draw.normal(0, 0.3))
    across = np.linspace(-1, 1, width, dtype=np.float32)[None] - float(draw.normal(0, 0.3))
    spot = 1 - float(draw.uniform(0.1, 0.4)) * (0.5 * down**2 + across**2)
    gain = 250 * float(np.exp(camera.gain + draw.normal(0, 0.35)))
    return gain * scene * spot[..., None] + camera.offset + float(draw.normal(10, 12))


def _image(levels: np.ndarray) -> Image.Image:
    grey_levels = levels.clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey_levels[..., 0] if levels.shape[2] == 1 else grey_levels)


def _blur_radius(rows: int, draw: np.random.Generator) -> float:
    chance, radius = draw.random(2).tolist()
    return rows / 128 * 1.3 * radius * (1.5 if chance < 0.1 else 1.0)


def _with_faults(sensed: np.ndarray, camera: Camera, draw: np.random.Generator) -> np.ndarray:
    thermal = camera.spectrum == "thermal"
    sensed = _halo(sensed, draw) if thermal else sensed
    spread, banding, direction = draw.random(3).tolist()
    sensed = sensed + gaussian_noise(sensed.shape, camera.noise * (0.6 + 1.6 * spread), draw)
    if thermal:
        rows, across = sensed.shape[:2]
        shape = (rows, 1, 1) if direction < 0.5 else (1, across, 1)
        return sensed + gaussian_noise(shape, 2.4 * banding**2, draw)
    return sensed


def _halo(sensed: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Exaggerate edges as thermal cameras do, with a dark or bright ring."""
    if draw.random() < 0.6:
        return sensed
    soft = _image(sensed).filter(ImageFilter.BoxBlur(draw.uniform(2, 5)))
    around = np.asarray(soft, np.float32).reshape(sensed.shape)
    return sensed + np.float32(draw.uniform(0.3, 1.2)) * (sensed - around)
