"""Loaded images compared with Pillow's decode and resize; caches that were changed."""

import io
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.commands import run
from support.trees import regdb_name, write_regdb, write_sysu_mm01

from dmcf_jax.data import decode, decode_records, image_cache
from dmcf_jax.data.image_store import ImageStore, load_images
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.errors import UserError

SIZE = (24, 12)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    base = tmp_path_factory.mktemp("store")
    write_regdb(base / "regdb", trials=(1,))
    write_sysu_mm01(base / "sysu")
    prepare("regdb", base / "regdb", base / "data", trial=1, unofficial=True)
    prepare("sysu_mm01", base / "sysu", base / "data", unofficial=True)
    return base / "data"


def load(data_dir, cache_dir, splits=("train", "test"), **options):
    return load_images("regdb", data_dir, splits, SIZE, trial=1, cache_dir=cache_dir, **options)


def cache_folder(cache_dir):
    (folder,) = [path for path in cache_dir.iterdir() if not path.name.startswith(".")]
    return folder


def pillow(path, size=SIZE, resample=Image.Resampling.LANCZOS):
    return np.asarray(Image.open(path).convert("RGB").resize(size[::-1], resample))


def test_images_equal_pillows_in_record_order(data_dir, tmp_path):
    store = load(data_dir, tmp_path)
    root = data_dir.parent / "regdb"
    expected = [
        sorted(
            regdb_name(kind, pid, frame)
            for kind in ("visible", "thermal")
            for pid in pids
            for frame in (0, 1)
        )
        for pids in ((1, 2), (3, 4))
    ]
    assert store.path.tolist() == expected[0] + expected[1]
    for row, path in enumerate(store.path):
        np.testing.assert_array_equal(store.images[row], pillow(root / path))
    assert store.identity.tolist() == [int(path.split("/")[1]) for path in store.path]
    assert store.modality.tolist() == [int(path.startswith("T")) for path in store.path]
    assert store.camera.tolist() == (1 + store.modality).tolist()


def test_jpeg_splits_and_another_filter(data_dir, tmp_path):
    options = {"resample": "bilinear", "cache_dir": tmp_path}
    store = load_images("sysu_mm01", data_dir, ("train", "val"), SIZE, **options)
    root = data_dir.parent / "sysu"
    for row, path in enumerate(store.path):
        expected = pillow(root / path, resample=Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(store.images[row], expected)
    assert set(store.identity) == {1, 2, 334}


def test_select_and_join(data_dir, tmp_path):
    store = load(data_dir, tmp_path)
    thermal = store.select(store.modality == 1)
    visible = store.select(np.flatnonzero(store.modality == 0))
    joined = ImageStore.join([visible, thermal])
    assert len(thermal) == len(visible) == 8 and len(joined) == 16
    np.testing.assert_array_equal(joined.images[8:], store.images[store.modality == 1])
    assert joined.path[8:].tolist() == thermal.path.tolist()


def test_the_cache_is_used_again(data_dir, tmp_path, monkeypatch):
    first = load(data_dir, tmp_path)
    monkeypatch.setattr(decode_records, "decode_records", None)
    again = load(data_dir, tmp_path)
    assert isinstance(again.images, np.memmap)
    np.testing.assert_array_equal(first.images, again.images)


def damage_pixels(folder):
    data = bytearray((folder / "images.npy").read_bytes())
    data[-1] ^= 1
    (folder / "images.npy").write_bytes(data)


def damage_labels(folder):
    data = bytearray((folder / "labels.npz").read_bytes())
    data[100] ^= 1
    (folder / "labels.npz").write_bytes(data)


def cut_images(folder):
    data = (folder / "images.npy").read_bytes()
    (folder / "images.npy").write_bytes(data[:-500])


def another_filter(folder):
    stamp = json.loads((folder / "stamp.json").read_text())
    stamp["stamp"]["filter"] = "bicubic"
    (folder / "stamp.json").write_text(json.dumps(stamp))


def other_records(folder):
    stamp = json.loads((folder / "stamp.json").read_text())
    stamp["stamp"]["records_sha256"][0] = "0" * 64
    (folder / "stamp.json").write_text(json.dumps(stamp))


def no_stamp(folder):
    (folder / "stamp.json").unlink()


def pickled_labels(folder):
    np.save(folder / "labels.npz", np.array([{}], object), allow_pickle=True)


HARMS = (
    damage_pixels,
    damage_labels,
    cut_images,
    another_filter,
    other_records,
    no_stamp,
    pickled_labels,
)


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_cache_or_one_of_other_data_is_made_again(data_dir, tmp_path, harm):
    expected = np.array(load(data_dir, tmp_path).images)
    folder = cache_folder(tmp_path)
    harm(folder)
    store = load(data_dir, tmp_path)
    np.testing.assert_array_equal(store.images, expected)
    stamp = json.loads((folder / "stamp.json").read_text())["stamp"]
    assert image_cache.read_cache(folder, stamp) is not None
    assert stamp["filter"] == "lanczos"


@given(st.integers(1, 60), st.data())
def test_every_changed_byte_changes_the_hash(length, data):
    row = np.random.default_rng(length).integers(0, 256, length, np.uint8)
    changed = row.copy()
    changed[data.draw(st.integers(0, length - 1))] ^= data.draw(st.integers(1, 255))
    assert image_cache.row_hashes(row[None]) != image_cache.row_hashes(changed[None])


def test_a_failure_leaves_no_cache(data_dir, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_cache, "_write_all", fail)
    with pytest.raises(UserError, match="No space left on device") as error:
        load(data_dir, tmp_path / "cache")
    assert error.value.about == ("cache_dir",)
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_killed_process_left_is_removed(data_dir, tmp_path):
    load(data_dir, tmp_path)
    folder = cache_folder(tmp_path)
    leftover = tmp_path / f".{folder.name}.dead"
    leftover.mkdir()
    no_stamp(folder)
    load(data_dir, tmp_path)
    assert not leftover.exists()


def test_records_other_than_those_written_are_refused(data_dir, tmp_path, monkeypatch):
    metadata = prepared.read_metadata("regdb", data_dir, 1)
    metadata["records_sha256"]["train"] = "0" * 64
    monkeypatch.setattr(prepared, "read_metadata", lambda *arguments: metadata)
    with pytest.raises(UserError, match="records of train") as error:
        load(data_dir, tmp_path)
    assert error.value.about == (str(data_dir / "regdb/trial_1/1.0.0"),)
    assert list(tmp_path.iterdir()) == []


def test_missing_data_print_the_exact_command(tmp_path):
    with pytest.raises(UserError) as error:
        load_images("regdb", tmp_path, ("train",), SIZE, trial=3)
    command = "dmcf prepare_data --dataset=regdb --source=DIR"
    assert f"{command} --data_dir={tmp_path} --trial=3" in str(error.value)


def test_wrong_arguments_are_named_at_once(data_dir, tmp_path):
    with pytest.raises(UserError) as error:
        load_images("regdb", data_dir, ("val",), (0, 9999), trial=1, resample="cubic")
    assert error.value.about == ("splits", "resample", "size")
    with pytest.raises(UserError) as error:
        load_images("regdb", data_dir, ("train",), SIZE)
    assert error.value.about == ("trial",)


@pytest.mark.slow
def test_a_warm_cache_needs_no_tensorflow_datasets(data_dir, tmp_path):
    load(data_dir, tmp_path, splits=("test",))
    code = (
        "import sys; from dmcf_jax.data.image_store import load_images; "
        f"load_images('regdb', {str(data_dir)!r}, ('test',), {SIZE}, trial=1, "
        f"cache_dir={str(tmp_path)!r}); "
        "print([m for m in ('tensorflow', 'tensorflow_datasets', 'jax') if m in sys.modules])"
    )
    ran = run("-c", code)
    assert ran.stdout.strip() == "[]", ran.stderr
    assert "tensorflow" not in sys.modules


def encoded(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)


def test_grey_and_palette_images_become_their_rgb():
    for mode in ("L", "P", "1"):
        image = Image.fromarray(PIXELS).convert(mode)
        found = decode.decode_array(encoded(image), (6, 4))
        np.testing.assert_array_equal(found, image.convert("RGB"))


def test_sixteen_bits_are_scaled_not_clipped():
    wide = np.array([[0, 255, 256, 65535], [128, 32768, 1000, 40000]], np.uint16)
    found = decode.decode_array(encoded(Image.fromarray(wide)), (2, 4))
    np.testing.assert_array_equal(found, np.repeat((wide // 256)[..., None], 3, -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_become_black(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    alpha = np.full((6, 4), 255, np.uint8)
    alpha[:3] = 0
    image.putalpha(Image.fromarray(alpha))
    found = decode.decode_array(encoded(image), (6, 4))
    assert (found[:3] == 0).all()
    np.testing.assert_array_equal(found[3:], np.asarray(image.convert("RGB"))[3:])


def test_cmyk_jpegs_become_rgb():
    data = encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG", quality=100)
    found = decode.decode_array(data, (6, 4)).astype(int)
    np.testing.assert_array_equal(found, Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_exif_turns_the_image_upright(orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(PIXELS), exif=exif)
    upright = np.rot90(PIXELS, turns)
    np.testing.assert_array_equal(decode.decode_array(data, upright.shape[:2]), upright)


def test_bitmaps_are_stored_as_png_and_others_as_they_are():
    image = Image.fromarray(PIXELS)
    stored = decode.stored_bytes(encoded(image, "BMP"))
    assert Image.open(io.BytesIO(stored)).format == "PNG"
    np.testing.assert_array_equal(Image.open(io.BytesIO(stored)), PIXELS)
    for format in ("JPEG", "PNG"):
        data = encoded(image, format)
        assert decode.stored_bytes(data) is data


@given(st.binary(max_size=200), st.integers(0, 300))
def test_arbitrary_bytes_are_an_image_or_a_reason(data, cut):
    for attempt in (data, encoded(Image.fromarray(PIXELS))[:cut] + data):
        try:
            assert decode.decode(attempt, (2, 2)).mode == "RGB"
        except decode.BadImage as error:
            assert str(error)
