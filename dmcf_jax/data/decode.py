"""Encoded bytes to RGB pixels with Pillow: one path for verifying, building and loading.

Only JPEG, PNG, BMP, TIFF and WebP are opened. The size in the header is checked before anything
is decoded, so a decompression bomb costs nothing.
"""

import io
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import (
    BmpImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from dmcf_jax.data.file_kinds import JPEG_START, NOT_A_PICTURE, PNG_START, recognise
from dmcf_jax.data.wide_values import FULL, WideRange, is_wide, to_eight_bits

# Pillow's classes are called directly: `Image.open` judges the size by a limit of the whole
# program, with warnings that only a filter for the whole program could stop.
FORMATS: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}
MAX_SIDE = 4096
MAX_BYTES = 256 << 20
FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}
VERSION = 2  # raise it whenever the same bytes would give other pixels: caches depend on it
_ORIENTATION = 0x0112  # EXIF tag


class BadImage(ValueError):
    """Bytes that are not a usable image; the message is a reason, without the path."""


def decode(
    data: bytes,
    size: tuple[int, int] | None,
    resample: str = "lanczos",
    wide_range: WideRange = FULL,
) -> Image.Image:
    """Return the RGB image in `data`, turned upright by its EXIF tag, resized to `size`.

    Args:
        data: an encoded JPEG, PNG, BMP, TIFF or WebP.
        size: (height, width) in pixels, or None to keep the image's own.
        resample: 'lanczos', 'bicubic' or 'bilinear'.
        wide_range: values of pictures of more than eight bits that become 0 and 255.

    Raises:
        BadImage: the bytes are empty, truncated, of another format or far too large an image.
    """
    image = to_rgb(open_image(data), wide_range)
    if size is None:
        return image
    return image.resize((size[1], size[0]), FILTERS[resample])


def decode_array(
    data: bytes,
    size: tuple[int, int],
    resample: str = "lanczos",
    wide_range: WideRange = FULL,
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the image of `decode` as an array of values 0..255."""
    return np.asarray(decode(data, size, resample, wide_range))


def stored_bytes(data: bytes) -> bytes:
    """Return what a record stores of a file: JPEG and PNG unchanged, others as lossless PNG.

    Values that no PNG can hold (32 bits, fractions) stay in their TIFF.
    """
    if data.startswith((JPEG_START, PNG_START)):
        return data
    image = _upright(open_image(data))
    if is_wide(image.mode):
        values = np.asarray(image)
        if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
            return data
        image = Image.fromarray(values.astype(np.uint16))
    elif image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def open_image(data: bytes) -> Image.Image:
    """Return the image with its own mode, neither turned nor converted.

    Raises:
        BadImage: with the reason why that is impossible.
    """
    if not data:
        raise BadImage("is empty (0 bytes)")
    kind = recognise(data)
    if kind not in FORMATS:
        raise BadImage(f"is {kind or NOT_A_PICTURE}")
    try:
        image = FORMATS[kind](io.BytesIO(data))
    except Exception as error:  # malformed headers make Pillow raise many kinds
        raise BadImage(_unopened(kind, error)) from None
    _check_size(image)
    if kind in ("TIFF", "WebP") and (count := getattr(image, "n_frames", 1)) > 1:
        raise BadImage(f"is a {kind} of {count} pictures: save each as a file of its own")
    try:
        image.load()
    except Exception as error:
        raise BadImage(f"cannot be decoded ({error})") from None
    return image


def _unopened(kind: str, error: Exception) -> str:
    if "MAX_TEXT" in str(error):
        return f"is a {kind} with more than a megabyte of text in it: save it without metadata"
    return f"is a damaged {kind} ({error or type(error).__name__})"


def _check_size(image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE:
        raise BadImage(
            f"is {image.width} x {image.height} pixels; at most {MAX_SIDE} on a side: cut the "
            "people out of it, or make it smaller"
        )


def _upright(image: Image.Image) -> Image.Image:
    turned = image.getexif().get(_ORIENTATION, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def to_rgb(image: Image.Image, wide_range: WideRange = FULL) -> Image.Image:
    """Turn upright and convert; transparent pixels become black.

    Raises:
        BadImage: it cannot be converted.
    """
    try:
        image = _upright(image)
        if image.mode == "RGB" and "transparency" not in image.info:
            return image
        if is_wide(image.mode):
            values = to_eight_bits(np.asarray(image), wide_range)
            return Image.fromarray(values).convert("RGB")
        if image.has_transparency_data:
            return _on_black(image.convert("RGBA"))
        return image.convert("RGB")
    except Exception as error:
        raise BadImage(f"cannot be converted to RGB ({error})") from None


def _on_black(image: Image.Image) -> Image.Image:
    """Return an RGBA image before black; where all is transparent, alpha was never meant."""
    if image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image).convert("RGB")
