"""Pictures of more than eight bits: nothing is squeezed in silence, and the range is a choice."""

import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dmcf_jax.data import decode
from dmcf_jax.data.image_store import load_images
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.prepare_own import prepare_own
from dmcf_jax.data.wide_values import FULL, to_eight_bits
from dmcf_jax.errors import UserError

LOW, HIGH = 8000, 8255  # what a 14-bit sensor sees of a room, in 16 bits


def thermal(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(LOW, HIGH + 1, (16, 8)).astype(np.uint16)
    values[0, :2] = LOW, HIGH
    Image.fromarray(values).save(path)
    return values


def people(root, suffix=".png"):
    wide = {}
    for number, name in enumerate(("ann", "bo")):
        for frame in range(2):
            path = f"infrared/{name}/{frame}{suffix}"
            wide[path] = thermal(root / path, 10 * number + frame)
            visible = root / f"visible/{name}/{frame}.png"
            visible.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(99 - 10 * number - frame).integers(0, 256, (16, 8, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(visible)
    return wide


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_a_range_is_cut_into_256_equal_parts(dtype):
    values = np.array([[0, 100, 228, 355, 356, 60000]]).astype(dtype)
    expected = [[0, 0, 128, 255, 255, 255]]
    assert to_eight_bits(values, (100, 355)).tolist() == expected or dtype == np.float32
    found = to_eight_bits(values.astype(np.float32), (100.0, 356.0))
    assert found.tolist() == expected


def test_the_full_range_keeps_the_upper_byte():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(to_eight_bits(values, FULL), values >> 8)


def test_fractions_nan_and_infinity_are_read_by_their_own_range():
    values = np.array([[0.25, 0.5, 0.75, np.nan, np.inf, -np.inf]], np.float32)
    assert to_eight_bits(values, None).tolist() == [[0, 128, 255, 0, 255, 0]]
    assert not to_eight_bits(np.full((2, 2), np.nan, np.float32), None).any()


def test_verification_says_what_is_squeezed_and_metadata_record_it(tmp_path, capsys):
    people(tmp_path / "people")
    prepare_own(tmp_path / "people", tmp_path / "data", split_by_identity=0.5, progress=True)
    said = capsys.readouterr().err
    assert "4 pictures have more than eight bits" in said and "of 256 levels they use 2" in said
    metadata = prepared.read_metadata("own", tmp_path / "data")
    assert metadata["wide"] == {"pictures": 4, "lowest": LOW, "highest": HIGH}
    assert any("data.wide_range" in note for note in metadata["notes"])


def test_a_dead_pixel_that_stretches_the_range_is_said(tmp_path):
    people(tmp_path / "people")
    path = tmp_path / "people/infrared/bo/0.png"
    values = np.full((64, 32), LOW, np.uint16)
    values[::2] = HIGH
    values[5, 5] = 65535
    Image.fromarray(values).save(path)
    prepare_own(tmp_path / "people", tmp_path / "data", split_by_identity=0.5)
    notes = prepared.read_metadata("own", tmp_path / "data")["notes"]
    (note,) = [note for note in notes if "eight bits" in note]
    assert "8000 to 65535: of 256 levels they use 225" in note
    assert f"from {LOW} to {HIGH}, use 2" in note


def deep_png(path, values):
    """Write uint16 [h w 3] as a PNG of 48 bits a pixel, which Pillow cannot."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts.items()
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


@pytest.mark.parametrize(("top", "levels", "cured"), [(8255, 2, True), (65535, 225, False)])
def test_deep_colours_whose_lower_bits_are_dropped_are_said(tmp_path, top, levels, cured):
    people(tmp_path / "people")
    values = np.full((16, 8, 3), LOW, np.uint16)
    values[3] = top
    deep_png(tmp_path / "people/infrared/bo/deep.png", values)
    prepare_own(tmp_path / "people", tmp_path / "data", split_by_identity=0.5)
    notes = prepared.read_metadata("own", tmp_path / "data")["notes"]
    (note,) = [note for note in notes if "in each colour" in note]
    assert note.startswith("1 pictures") and f"they use {levels}" in note
    assert ("data.wide_range" in note) == cured


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("choice", "levels"), [("full", 2), ("file", 60), ("data_set", 60)])
def test_the_choice_decides_the_pixels(tmp_path, choice, levels, suffix):
    wide = people(tmp_path / "people", suffix)
    prepare_own(tmp_path / "people", tmp_path / "data", split_by_identity=1.0)
    metadata = json.loads(json.dumps(prepared.read_metadata("own", tmp_path / "data")))
    chosen = prepared.wide_range(choice, metadata)
    store = load_images("own", tmp_path / "data", ("train",), (16, 8), wide_range=chosen)
    for row, path in enumerate(store.path):
        if path in wide:
            grey = store.images[row, :, :, 0]
            assert len(np.unique(grey)) >= levels
            expected = wide[path] >> 8 if choice == "full" else wide[path] - LOW
            np.testing.assert_array_equal(grey, expected)


def test_data_prepared_before_the_range_was_recorded_are_refused():
    with pytest.raises(UserError) as error:
        prepared.wide_range("data_set", {})
    assert error.value.about == ("data.wide_range",)
    assert prepared.wide_range("data_set", {"wide": {"pictures": 0}}) == FULL


def test_different_files_of_equal_pixels_transparent_and_flat_ones_are_counted(tmp_path):
    people(tmp_path / "people")
    a = np.random.default_rng(5).integers(0, 256, (16, 8, 4), np.uint8)
    a[:8, :, 3], a[8:, :, 3] = 0, 255
    b = a.copy()
    b[:8, :, :3] = 1  # differs only where it is transparent
    for name, pixels in (("x", a), ("y", b), ("z", np.zeros((16, 8, 3), np.uint8))):
        Image.fromarray(pixels).save(tmp_path / f"people/visible/ann/{name}.png")
    prepare_own(tmp_path / "people", tmp_path / "data", split_by_identity=0.5)
    notes = prepared.read_metadata("own", tmp_path / "data")["notes"]
    for words in ("2 pictures are transparent in parts", "1 (visible/ann/z.png) are of one colour"):
        assert any(words in note for note in notes), notes
    equal = "visible/ann/x.png = visible/ann/y.png"
    assert any("2 pictures of different files have equal pixels" in n and equal in n for n in notes)


def test_a_float_tiff_is_stored_as_it_is_and_read_by_its_range(tmp_path):
    values = np.linspace(20, 40, 128, dtype=np.float32).reshape(16, 8)
    Image.fromarray(values).save(tmp_path / "celsius.tif")
    data = (tmp_path / "celsius.tif").read_bytes()
    assert decode.stored_bytes(data) is data
    found = decode.decode_array(data, (16, 8), wide_range=None)[:, :, 0]
    assert found.min() == 0 and found.max() == 255 and len(np.unique(found)) == 128
    assert len(np.unique(decode.decode_array(data, (16, 8)))) == 1  # what 'full' makes of it
