"""What verification finds out about the values of pictures: ranges, transparency, equal pixels."""

import dataclasses
import hashlib
import math
import threading
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from dmcf_jax.data.decode import to_rgb
from dmcf_jax.data.file_kinds import PNG_START
from dmcf_jax.data.wide_values import FULL, is_wide, range_of, to_eight_bits

MOST_NAMED = 3
MOST = (0.1, 99.9)  # per cent: a few dead pixels do not count
FEW_LEVELS = 64  # of 256: fewer in all pictures of more than eight bits is a part of the range


@dataclasses.dataclass
class Measures:
    """Counts over the pictures of a data set; `add` may be called from several threads.

    Attributes:
        wide: pictures of more than eight bits.
        lowest, highest: their values.
        usual: lowest and highest of most values, `MOST` of each picture.
        deep: pictures with more than eight bits in each colour, of which the upper eight are read.
        deep_range: lowest and highest of what is read of them, 0..255.
        transparent: pictures with some, but not only, transparent pixels.
        flat: pictures of one colour, as they would be decoded.
        files: by the hash of pixels, files with other bytes that have the same.
    """

    wide: int = 0
    lowest: float = math.inf
    highest: float = -math.inf
    usual: tuple[float, float] = (math.inf, -math.inf)
    deep: int = 0
    deep_range: tuple[int, int] = (255, 0)
    transparent: int = 0
    flat: list[str] = dataclasses.field(default_factory=list)
    files: dict[bytes, dict[bytes, str]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self._lock = threading.Lock()

    def add(self, path: str, data: bytes, image: Image.Image) -> None:
        """Measure one picture.

        Args:
            path: its name.
            data: the file's bytes.
            image: the picture with its own mode.
        """
        wide = range_of(np.asarray(image)) if is_wide(image.mode) else None
        usual = _usual(np.asarray(image)) if wide else (math.inf, -math.inf)
        alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
        pixels = np.asarray(to_rgb(image))
        key = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
        with self._lock:
            if wide:
                self.wide += 1
                self.lowest = min(self.lowest, wide[0])
                self.highest = max(self.highest, wide[1])
                self.usual = min(self.usual[0], usual[0]), max(self.usual[1], usual[1])
            if _is_deep(data, image):
                self.deep += 1
                ends = int(pixels.min()), int(pixels.max())
                low, high = self.deep_range
                self.deep_range = min(low, ends[0]), max(high, ends[1])
            self.transparent += alpha is not None and alpha.getextrema() not in (
                (255, 255),
                (0, 0),
            )
            self.flat += [path] if (pixels == pixels[0, 0]).all() else []
            self.files.setdefault(key, {})[hashlib.sha256(data).digest()] = path

    def notes(self) -> list[str]:
        """Return a sentence for whatever may not be as its owner thinks."""
        found = []
        if self.wide:
            found.append(self._wide_note())
        if self.deep:
            low, high = self.deep_range
            cure = "; save them as grey of 16 bits, which data.wide_range is for"
            found.append(
                f"{self.deep} pictures have more than eight bits in each colour, of which the "
                f"upper eight are read: of 256 levels they use {high - low + 1}"
                f"{cure if high - low + 1 < FEW_LEVELS else ''}"
            )
        if self.transparent:
            found.append(f"{self.transparent} pictures are transparent in parts: black there")
        if self.flat:
            found.append(f"{_named(self.flat)} are of one colour")
        equal = [sorted(files.values()) for files in self.files.values() if len(files) > 1]
        if equal:
            names = [" = ".join(paths[:2]) for paths in sorted(equal)]
            found.append(
                f"{sum(map(len, equal))} pictures of different files have equal pixels, in groups "
                f"of: {_named(names)}"
            )
        return found

    def _wide_note(self) -> str:
        levels, most = _levels(self.lowest, self.highest), _levels(*self.usual)
        note = (
            f"{self.wide} pictures have more than eight bits, with values from {self.lowest:g} to "
            f"{self.highest:g}: of 256 levels they use {levels}"
        )
        if levels < FEW_LEVELS:
            return f"{note}; choose data.wide_range=file or data_set"
        if most < FEW_LEVELS:
            low, high = self.usual
            note += (
                f", but nearly all values, from {low:g} to {high:g}, use {most}: a few pixels, "
                "perhaps dead ones, stretch every data.wide_range; give them values of neighbours"
            )
        return note

    def as_metadata(self) -> dict[str, Any]:
        """Return what a data set's metadata records of the values of its pictures."""
        return {
            "pictures": self.wide,
            "lowest": self.lowest if self.wide else None,
            "highest": self.highest if self.wide else None,
        }


def _is_deep(data: bytes, image: Image.Image) -> bool:
    if is_wide(image.mode):
        return False
    if data.startswith(PNG_START):
        return data[24] == 16  # the header's bits of a channel
    bits = image.tag_v2.get(258, 8) if isinstance(image, TiffImageFile) else 8
    return max(bits if isinstance(bits, tuple) else (bits,)) > 8


def _levels(low: float, high: float) -> int:
    first, last = to_eight_bits(np.array([[low, high]]), FULL)[0]
    return int(last) - int(first) + 1


def _usual(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = np.percentile(finite, MOST, method="nearest")
    return float(low), float(high)


def _named(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:MOST_NAMED])
    return f"{len(names)} ({shown}{', ...' if len(names) > MOST_NAMED else ''})"
