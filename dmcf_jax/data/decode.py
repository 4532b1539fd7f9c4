"""Encoded bytes to RGB pixels with Pillow: one path for verifying, building and loading.

Only JPEG, PNG and BMP are opened. The size in the header is judged before anything is decoded,
so a decompression bomb costs nothing.
"""

import io
import warnings

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "BMP")
MAX_SIDE = 4096
MAX_BYTES = 256 << 20
FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}
VERSION = 1  # changes whenever the same bytes would give other pixels
_ORIENTATION = 0x0112

# What Pillow only warns of would otherwise be decoded.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class BadImage(ValueError):
    """Bytes that are not a usable image; the message is a reason, without the path."""


def decode(data: bytes, size: tuple[int, int] | None, resample: str = "lanczos") -> Image.Image:
    """Return the RGB image in `data`, turned upright by its EXIF tag, resized to `size`.

    Args:
      data: an encoded JPEG, PNG or BMP.
      size: (height, width) in pixels, or None for the size as it is.
      resample: 'lanczos', 'bicubic' or 'bilinear'.

    Raises:
      BadImage: the bytes are empty, truncated, of another format or of absurd size.
    """
    image = _to_rgb(_open(data))
    if size is None:
        return image
    return image.resize((size[1], size[0]), FILTERS[resample])


def decode_array(
    data: bytes, size: tuple[int, int], resample: str = "lanczos"
) -> UInt8[np.ndarray, "h w 3"]:
    """Return `decode` as an array of values 0..255."""
    return np.asarray(decode(data, size, resample))


def stored_bytes(data: bytes) -> bytes:
    """Return what a record keeps of a file: JPEG and PNG as they are, BMP as lossless PNG."""
    if data.startswith((b"\xff\xd8", b"\x89PNG")):
        return data
    buffer = io.BytesIO()
    _open(data).save(buffer, format="PNG")
    return buffer.getvalue()


def _open(data: bytes) -> Image.Image:
    """Open and load pixels, or say in a `BadImage` why that cannot be done."""
    if not data:
        raise BadImage("is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise BadImage("is not a JPEG, PNG or BMP image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"has absurdly many pixels; at most {MAX_SIDE} on a side") from None
    except Exception as error:  # Pillow lets many kinds through on malformed headers
        raise BadImage(f"cannot be opened ({error})") from None
    if max(image.size) > MAX_SIDE:
        raise BadImage(f"is {image.width} x {image.height}; at most {MAX_SIDE} on a side")
    try:
        image.load()
    except Exception as error:
        raise BadImage(f"cannot be decoded ({error})") from None
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Turn upright and convert; transparent pixels become black, 16 bits lose the lower eight."""
    try:
        if image.getexif().get(_ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
        if image.mode == "RGB" and "transparency" not in image.info:
            return image
        if image.mode.startswith("I") or image.mode == "F":
            return _from_wide(image)
        if image.has_transparency_data:
            coloured = image.convert("RGBA")
            black = Image.new("RGBA", image.size, (0, 0, 0, 255))
            return Image.alpha_composite(black, coloured).convert("RGB")
        return image.convert("RGB")
    except Exception as error:
        raise BadImage(f"cannot be converted to RGB ({error})") from None


def _from_wide(image: Image.Image) -> Image.Image:
    """Map 16-bit grey, 0..65535, to eight bits; Pillow's own conversion would clip at 255."""
    values = np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")
