"""Encoded bytes to RGB pixels with Pillow: one path for verifying, building and loading.

Only JPEG, PNG and BMP are opened. The size in the header is checked before anything is decoded,
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
VERSION = 1  # raise it whenever the same bytes would give other pixels: caches depend on it
_ORIENTATION = 0x0112  # EXIF tag

# Pillow only warns of moderately large images and would decode them.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class BadImage(ValueError):
    """Bytes that are not a usable image; the message is a reason, without the path."""


def decode(data: bytes, size: tuple[int, int] | None, resample: str = "lanczos") -> Image.Image:
    """Return the RGB image in `data`, turned upright by its EXIF tag, resized to `size`.

    Args:
        data: an encoded JPEG, PNG or BMP.
        size: (height, width) in pixels, or None to keep the image's own.
        resample: 'lanczos', 'bicubic' or 'bilinear'.

    Raises:
        BadImage: the bytes are empty, truncated, of another format or far too large an image.
    """
    image = _to_rgb(_open(data))
    if size is None:
        return image
    return image.resize((size[1], size[0]), FILTERS[resample])


def decode_array(
    data: bytes, size: tuple[int, int], resample: str = "lanczos"
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the image of `decode` as an array of values 0..255."""
    return np.asarray(decode(data, size, resample))


def stored_bytes(data: bytes) -> bytes:
    """Return what a record stores of a file: JPEG and PNG unchanged, BMP as lossless PNG."""
    if data.startswith((b"\xff\xd8", b"\x89PNG")):
        return data
    buffer = io.BytesIO()
    _open(data).save(buffer, format="PNG")
    return buffer.getvalue()


def _open(data: bytes) -> Image.Image:
    """Open and load pixels, or raise a `BadImage` with the reason why that is impossible."""
    if not data:
        raise BadImage("is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise BadImage("is not a JPEG, PNG or BMP image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"has far too many pixels; at most {MAX_SIDE} on a side") from None
    except Exception as error:  # malformed headers make Pillow raise many kinds
        raise BadImage(f"cannot be opened ({error})") from None
    if max(image.size) > MAX_SIDE:
        raise BadImage(f"is {image.width} x {image.height}; at most {MAX_SIDE} on a side")
    try:
        image.load()
    except Exception as error:
        raise BadImage(f"cannot be decoded ({error})") from None
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Turn upright and convert; transparent pixels become black, 16 bits keep the upper eight."""
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
    """Scale 16-bit grey, 0..65535, to eight bits; Pillow's own conversion would clip at 255."""
    values = np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")
