"""Preparing is all or nothing: results are complete, failures are reported and leave nothing."""

import fcntl
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from support.commands import run
from support.trees import noise, regdb_name, write_llcm, write_regdb, write_sysu_mm01

from dmcf_jax.cli import prepare_data
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.data.records.verify_records import verify_prepared
from dmcf_jax.errors import UserError

SCRIPT = Path(__file__).parents[3] / "scripts/prepare_data.py"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A source of two trials and its prepared first trial."""
    base = tmp_path_factory.mktemp("prepared")
    write_regdb(base / "source")
    prepare("regdb", base / "source", base / "data", trial=1, unofficial=True)
    return base


@pytest.fixture
def base(done, tmp_path):
    """A private copy of `done`, with its new path in the metadata."""
    shutil.copytree(done, tmp_path / "base")
    metadata = tmp_path / "base/data/regdb/trial_1/1.0.0/metadata.json"
    metadata.write_text(metadata.read_text().replace(str(done), str(tmp_path / "base")))
    return tmp_path / "base"


def everything_under(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


def refused(*arguments, **options):
    with pytest.raises(UserError) as error:
        prepare(*arguments, **options)
    return error.value


def test_metadata_describes_what_was_built(done):
    metadata = prepared.read_metadata("regdb", done / "data", 1)
    assert metadata["official"] is False
    assert metadata["source"] == str((done / "source").resolve())
    assert metadata["counts"]["test"] == {
        "identities": 2,
        "visible": 4,
        "infrared": 4,
        "cameras": {"1": 4, "2": 4},
    }
    assert set(metadata["records_sha256"]) == {"train", "test"}
    assert len(metadata["source_sha256"]) == 64


def test_what_is_prepared_is_left_alone(base):
    before = everything_under(base / "data")
    (first, second) = prepare("regdb", base / "source", base / "data", trial=1, unofficial=True) * 2
    assert not first.built and "left as it is" in second.summary()
    assert everything_under(base / "data") == before


def test_prepared_data_needs_its_source_no_more(base):
    shutil.rmtree(base / "source")
    assert not prepare("regdb", None, base / "data", trial=1, unofficial=True)[0].built
    error = refused("regdb", None, base / "data", trial=2, unofficial=True)
    assert error.about == ("--source",)


def test_another_trial_is_added(base):
    (result,) = prepare("regdb", base / "source", base / "data", trial="2", unofficial=True)
    assert result.built and result.trial == 2
    verified = verify_prepared("regdb", base / "data", source=base / "source")
    assert [item.trial for item in verified] == [1, 2]


def test_unofficial_data_does_not_pass_for_official(base):
    assert refused("regdb", base / "source", base / "data", trial=1).about == ("--unofficial",)


def test_another_source_is_not_passed_over(base):
    write_regdb(base / "other", ids=6)
    error = refused("regdb", base / "other", base / "data", trial=1, unofficial=True)
    assert error.about == ("--source",) and str(base / "source") in str(error)


def zero_bytes(file):
    file.write_bytes(b"")


def truncated(file):
    file.write_bytes(file.read_bytes()[:-40])


def text(file):
    file.write_text("no image")


def huge(file):
    Image.new("L", (5000, 2)).save(file)


def bomb(file):
    Image.new("1", (20000, 20000)).save(file, format="PNG")


def test_every_bad_image_is_listed_and_nothing_is_left(tmp_path):
    root = write_sysu_mm01(tmp_path / "source")
    harms = (zero_bytes, truncated, text, huge, bomb)
    for n, harm in enumerate(harms, 1):
        harm(root / f"cam{n}/0001/0001.jpg")
    (root / "exp/val_id.txt").unlink()
    error = refused("sysu_mm01", root, tmp_path / "new/data", unofficial=True)
    reasons = {problem.about: problem.text for problem in error.problems}
    images = [f"cam{n}/0001/0001.jpg" for n in range(1, 6)]
    assert sorted(error.about) == [*images, "exp/val_id.txt"]
    values = ("empty", "truncated", "not a JPEG", "5000 x 2", "pixels")
    for image, value in zip(images, values, strict=True):
        assert value in reasons[image]
    assert str(error).startswith("6 problems in this SYSU-MM01 tree:")
    assert not (tmp_path / "new").exists()


def test_a_long_list_is_cut_short(tmp_path):
    root = write_sysu_mm01(tmp_path / "source")
    for file in root.glob("cam*/*/*.jpg"):
        file.write_bytes(b"")
    error = refused("sysu_mm01", root, tmp_path / "data", unofficial=True)
    assert len(error.problems) == 54
    assert "... and 36 more" in str(error) and len(str(error).splitlines()) < 25


@pytest.mark.parametrize(
    ("dataset", "write", "other"),
    [
        ("regdb", write_sysu_mm01, "sysu_mm01"),
        ("sysu_mm01", write_regdb, "regdb"),
        ("sysu_mm01", write_llcm, "llcm"),
    ],
)
def test_another_layout_is_recognised(tmp_path, dataset, write, other):
    write(tmp_path / "source")
    error = refused(dataset, tmp_path / "source", tmp_path / "data")
    assert error.about[0] == "--dataset"
    assert f"--dataset={other}" in error.problems[0].text


def test_a_folder_too_high_is_recognised(tmp_path):
    write_regdb(tmp_path / "source/RegDB")
    error = refused("regdb", tmp_path / "source", tmp_path / "data")
    assert error.about[0] == "--source"
    assert f"--source={tmp_path}/source/RegDB" in error.problems[0].text


def test_a_wrong_source_trial_or_name_is_named(tmp_path):
    assert refused("regdb", tmp_path / "no", tmp_path / "data").about == ("--source",)
    assert refused("regdb", tmp_path, tmp_path / "data", trial="11").about == ("--trial",)
    assert refused("llcm", tmp_path, tmp_path / "data", trial=1).about == ("--trial",)
    assert refused("market", tmp_path, tmp_path / "data").about == ("market",)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("write() failed: No space left on device; writing x"),  # array_record's
    ],
)
def test_a_build_cut_short_leaves_nothing(base, monkeypatch, error):
    before = everything_under(base / "data")

    def fail(*arguments):
        raise error

    monkeypatch.setattr(prepared, "record_digest", fail)
    error = refused("regdb", base / "source", base / "data", trial=2, unofficial=True)
    assert error.about == ("--data_dir",) and "No space left on device" in str(error)
    assert everything_under(base / "data") == before


def test_what_a_killed_build_left_is_neither_used_nor_kept(base):
    leftover = base / "data/regdb/trial_2/incomplete.ABC123_1.0.0"
    shutil.copytree(base / "data/regdb/trial_1/1.0.0", leftover)
    with pytest.raises(UserError) as error:
        prepared.read_metadata("regdb", base / "data", 2)
    assert error.value.about == (str(base / "data/regdb/trial_2/1.0.0"),)
    prepare("regdb", base / "source", base / "data", trial=2, unofficial=True)
    assert not leftover.exists()
    assert prepared.read_metadata("regdb", base / "data", 2)


def test_a_lost_shard_makes_it_incomplete(base):
    (shard,) = (base / "data").rglob("regdb-test.array_record*")
    shard.unlink()
    with pytest.raises(UserError) as error:
        prepared.read_metadata("regdb", base / "data", 1)
    assert error.value.about == (str(base / "data/regdb/trial_1/1.0.0"),)


def test_two_builds_exclude_each_other(base):
    handle = os.open(base / "data", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    error = refused("regdb", base / "source", base / "data", trial=2, unofficial=True)
    os.close(handle)
    assert error.about == ("--data_dir",) and "in use by another" in str(error)


def test_verify_finds_a_flipped_byte(base):
    (shard,) = (base / "data").rglob("regdb-train.array_record*")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(UserError) as error:
        verify_prepared("regdb", base / "data", trial=1)
    assert error.value.about == (str(base / "data/regdb/trial_1/1.0.0"),)


def test_verify_finds_another_record(base):
    metadata = base / "data/regdb/trial_1/1.0.0/metadata.json"
    digest = prepared.read_metadata("regdb", base / "data", 1)["records_sha256"]["test"]
    metadata.write_text(metadata.read_text().replace(digest, "0" * 64))
    with pytest.raises(UserError) as error:
        verify_prepared("regdb", base / "data", trial=1)
    (problem,) = error.value.problems
    assert "split test" in problem.text and digest in problem.text


def test_verify_finds_a_changed_source(base):
    noise(base / "source" / regdb_name("visible", 1, 0), seed=999)
    verify_prepared("regdb", base / "data", trial=1)
    with pytest.raises(UserError) as error:
        verify_prepared("regdb", base / "data", trial=1, source=base / "source")
    assert error.value.about == ("--source",)


def test_verify_of_nothing_prints_the_command(tmp_path):
    with pytest.raises(UserError, match="dmcf prepare_data --dataset=llcm --source=DIR"):
        verify_prepared("llcm", tmp_path)


def fake_trees(monkeypatch):
    """Replace the renderer, which other tests cover, by one that writes noise."""

    def write(root, *, identities, seed, progress):
        write_regdb(root, identities)
        noise(root / regdb_name("visible", 1, 0), seed)
        progress(1, 1)

    module = SimpleNamespace(write_regdb_tree=write, write_sysu_mm01_tree=None)
    monkeypatch.setitem(sys.modules, "dmcf_jax.data.synthetic.trees", module)
    monkeypatch.setattr("dmcf_jax.data.synthetic.trees", module, raising=False)


def options(**given):
    usual = {"source": None, "trial": "1", "unofficial": False, "verify": False, "layout": "regdb"}
    return SimpleNamespace(
        **{**usual, "identities": 4, "seed": 0, "split_by_identity": None, **given}
    )


def test_synthetic_data_are_rendered_once_and_built_as_unofficial(tmp_path, monkeypatch, capsys):
    fake_trees(monkeypatch)
    flags = options(dataset="synthetic", data_dir=str(tmp_path / "data"))
    prepare_data.run(flags)
    assert (tmp_path / "data/synthetic_source/regdb_4_0/Visible/1").is_dir()
    assert prepared.read_metadata("regdb", tmp_path / "data", 1)["official"] is False
    fake_trees(monkeypatch)
    prepare_data.run(flags)
    prepare_data.run(options(dataset="synthetic", data_dir=str(tmp_path / "data"), verify=True))
    printed = capsys.readouterr().out
    for result in (": built (unofficial", "left as it is", "verified"):
        assert result in printed
    with pytest.raises(UserError) as error:
        prepare_data.run(options(dataset="synthetic", data_dir=str(tmp_path / "data"), seed=1))
    assert error.value.about == ("--source",)


def test_flags_that_do_not_go_together_are_named_at_once():
    with pytest.raises(UserError) as error:
        prepare_data.run(options(dataset="regbd", data_dir=None))
    assert error.value.about == ("--dataset", "--data_dir")


@pytest.mark.slow
def test_the_script_ends_with_status_2_and_a_sentence(done, tmp_path):
    shutil.copytree(done / "source", tmp_path / "source")
    (tmp_path / "source/idx/test_visible_1.txt").unlink()
    flags = (f"--source={tmp_path}/source", f"--data_dir={tmp_path}/data", "--trial=1")
    ended = run("scripts/prepare_data.py", "--dataset=regdb", *flags, "--unofficial")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-3].startswith("error: 1 problem in this RegDB tree:")
    assert "idx/test_visible_1.txt: this file is missing" in ended.stderr
    assert "Traceback" not in ended.stderr and ended.stdout == ""
    assert not (tmp_path / "data").exists()


def test_grey_palette_and_bitmap_files_become_rgb_records(tmp_path):
    root = write_regdb(tmp_path / "source", ids=2, images=1, trials=(1,))
    for kind, mode in (("visible", "P"), ("thermal", "L")):
        pixels = np.random.default_rng(0).integers(0, 256, (16, 8), np.uint8)
        Image.fromarray(pixels).convert(mode).save(root / regdb_name(kind, 1, 0))
    prepare("regdb", root, tmp_path / "data", trial=1, unofficial=True)
    assert verify_prepared("regdb", tmp_path / "data", trial=1, source=root)
