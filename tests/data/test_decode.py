"""Odd picture files: which are read and with which pixels, which are refused and why."""

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from dmcf_jax.data import decode

y, x = np.mgrid[0:16, 0:8]
TRUE = np.stack([8 * y, 16 * x, 255 - 8 * y], -1).clip(0, 255).astype(np.uint8)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def v4_bitmap(pixels):
    """Return a 32-bit BMP with an alpha mask and alpha 0 everywhere, as Windows programs write."""
    bgra = np.dstack([pixels[..., ::-1], np.zeros_like(pixels[..., :1])])[::-1].tobytes()
    size = (108, 8, 16, 1, 32, 3, len(bgra), 2835, 2835, 0, 0)
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", *size) + struct.pack("<IIII", *masks) + b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 122 + len(bgra), 0, 0, 122) + head + bgra


TRANSPARENT = Image.fromarray(np.dstack([TRUE, np.zeros((16, 8), np.uint8)]))
SAME = {
    "RGBA, alpha 0 everywhere": encoded(TRANSPARENT),
    "BMP V4, alpha 0 everywhere": v4_bitmap(TRUE),
    "TIFF": encoded(Image.fromarray(TRUE), "TIFF"),
    "TIFF, LZW": encoded(Image.fromarray(TRUE), "TIFF", compression="tiff_lzw"),
    "WebP": encoded(Image.fromarray(TRUE), "WEBP", lossless=True),
    "RGBA TIFF, alpha 0 everywhere": encoded(TRANSPARENT, "TIFF"),
}


@pytest.mark.parametrize("name", SAME)
def test_it_is_read_as_every_viewer_shows_it_and_stored_so(name):
    np.testing.assert_array_equal(np.asarray(decode.decode(SAME[name], None)), TRUE)
    stored = decode.stored_bytes(SAME[name])
    assert stored.startswith(b"\x89PNG")
    np.testing.assert_array_equal(np.asarray(decode.decode(stored, None)), TRUE)


def test_a_picture_that_is_partly_transparent_stays_before_black():
    alpha = np.full((16, 8), 255, np.uint8)
    alpha[:8] = 0
    found = np.asarray(decode.decode(encoded(Image.fromarray(np.dstack([TRUE, alpha]))), None))
    assert not found[:8].any() and (found[8:] == TRUE[8:]).all()


def test_a_tiff_is_turned_upright_before_it_is_stored():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(TRUE), "TIFF", exif=exif)
    turned = np.rot90(TRUE, -1)
    np.testing.assert_array_equal(np.asarray(decode.decode(data, None)), turned)
    np.testing.assert_array_equal(
        np.asarray(decode.decode(decode.stored_bytes(data), None)), turned
    )


BAD = {
    "HTML": (b"<!DOCTYPE html><html>404</html>", "web page"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
    "GIF": (encoded(Image.fromarray(TRUE), "GIF"), "GIF"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
    "MP4": (b"\0\0\0\x18ftypmp42" + bytes(40), "frames"),
    "zip": (b"PK\x03\x04" + bytes(40), "zip"),
    "text": (b"hello", "not a JPEG"),
    "24 megapixels": (encoded(Image.new("1", (6000, 4000))), "people out of it"),
    "two pages": (
        encoded(
            Image.fromarray(TRUE), "TIFF", save_all=True, append_images=[Image.fromarray(TRUE)]
        ),
        "2 pictures",
    ),
    "broken chunk": (encoded(Image.fromarray(TRUE)).replace(b"IHDR", b"IHDX"), "damaged PNG"),
    "cut": (encoded(Image.fromarray(TRUE), "BMP")[:-99], "cannot be decoded"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_with_what_it_is(name):
    data, words = BAD[name]
    with pytest.raises(decode.BadImage, match=words):
        decode.decode(data, None)


def test_the_importing_programs_warnings_stay_as_they_are():
    """Before, a filter of this package made Pillow's warning of large scans an error."""
    scan = encoded(Image.new("1", (12000, 9000)))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert Image.open(io.BytesIO(scan)).size == (12000, 9000)
        assert [w.category for w in seen] == [Image.DecompressionBombWarning]
        seen.clear()
        with pytest.raises(decode.BadImage, match="at most 4096"):
            decode.decode(scan, None)
        assert seen == []
    actions = [f for f in warnings.filters if f[2] is Image.DecompressionBombWarning]
    assert actions == []
