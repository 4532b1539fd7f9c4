"""Pictures of more than eight bits, as raw infrared sensors write them, as values 0..255.

Sensors often use a small part of their range: of 14-bit counts around 8000, the upper eight bits
are the same in all pictures. So the range of values that becomes 0..255 is a choice: `FULL`, the
range of each file, or that of a whole data set.
"""

import numpy as np
from jaxtyping import Num, UInt8

# (lowest, highest) value that becomes 0 and 255; None where each picture has its own.
WideRange = tuple[int | float, int | float] | None
FULL: WideRange = (0, 65535)
CHOICES = ("full", "file", "data_set")


def is_wide(mode: str) -> bool:
    """Return whether a Pillow mode has one channel of more than eight bits."""
    return mode.startswith("I") or mode == "F"


def range_of(values: Num[np.ndarray, "h w"]) -> tuple[float, float]:
    """Return the lowest and the highest finite value; (0, 0) where there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def to_eight_bits(
    values: Num[np.ndarray, "h w"], wide_range: WideRange = FULL
) -> UInt8[np.ndarray, "h w"]:
    """Return `values` with `wide_range` spread over 0..255; what is outside is clipped.

    The range is cut into 256 equal parts; with `FULL` that keeps the upper eight of 16 bits.
    """
    low, high = wide_range or range_of(values)
    if np.issubdtype(values.dtype, np.integer):
        parts = (np.clip(values.astype(np.int64), low, high) - low) * 256 // (high - low + 1)
        return parts.astype(np.uint8)
    known = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    parts = (np.clip(known, low, high) - low) * 256 / max(high - low, np.finfo(np.float32).tiny)
    return np.minimum(parts, 255).astype(np.uint8)
