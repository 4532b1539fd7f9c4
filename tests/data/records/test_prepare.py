"""Preparing is all or nothing: what is there is whole, what fails is told and leaves nothing."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from support.trees import noise, regdb_name, write_llcm, write_regdb, write_sysu_mm01

from dmcf_jax.cli import prepare_data
from dmcf_jax.data.records import builder as record_builder
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
    """A private copy of `done` whose metadata knows its new place."""
    shutil.copytree(done, tmp_path / "base")
    facts = tmp_path / "base/data/regdb/trial_1/1.0.0/metadata.json"
    facts.write_text(facts.read_text().replace(str(done), str(tmp_path / "base")))
    return tmp_path / "base"


def everything_under(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


def refused(*arguments, **options):
    with pytest.raises(UserError) as error:
        prepare(*arguments, **options)
    return str(error.value)


def test_metadata_tells_what_was_built(done):
    facts = prepared.read_facts("regdb", done / "data", 1)
    assert facts["official"] is False
    assert facts["source"] == str((done / "source").resolve())
    assert facts["counts"]["test"] == {
        "identities": 2,
        "visible": 4,
        "infrared": 4,
        "cameras": {"1": 4, "2": 4},
    }
    assert set(facts["records_sha256"]) == {"train", "test"}
    assert len(facts["source_sha256"]) == 64


def test_what_is_prepared_is_left_alone(base):
    before = everything_under(base / "data")
    (first, second) = prepare("regdb", base / "source", base / "data", trial=1, unofficial=True) * 2
    assert not first.built and "left as it is" in second.summary()
    assert everything_under(base / "data") == before


def test_prepared_data_needs_its_source_no_more(base):
    shutil.rmtree(base / "source")
    assert not prepare("regdb", None, base / "data", trial=1, unofficial=True)[0].built
    assert "--source is missing" in refused("regdb", None, base / "data", trial=2, unofficial=True)


def test_another_trial_is_added(base):
    (result,) = prepare("regdb", base / "source", base / "data", trial="2", unofficial=True)
    assert result.built and result.trial == 2
    verified = verify_prepared("regdb", base / "data", source=base / "source")
    assert [item.trial for item in verified] == [1, 2]


def test_unofficial_data_does_not_pass_for_official(base):
    message = refused("regdb", base / "source", base / "data", trial=1)
    assert "was built with --unofficial" in message


def test_another_source_is_not_passed_over(base):
    write_regdb(base / "other", ids=6)
    message = refused("regdb", base / "other", base / "data", trial=1, unofficial=True)
    assert "made from" in message and "Delete it" in message


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
    message = refused("sysu_mm01", root, tmp_path / "new/data", unofficial=True)
    reasons = (
        "cam1/0001/0001.jpg: is empty (0 bytes)",
        "cam2/0001/0001.jpg: cannot be decoded (image file is truncated",
        "cam3/0001/0001.jpg: is not a JPEG, PNG or BMP image",
        "cam4/0001/0001.jpg: is 5000 x 2; at most 4096 on a side",
        "cam5/0001/0001.jpg: ",
        "exp/val_id.txt: this file is missing",
    )
    for reason in reasons:
        assert reason in message
    assert message.startswith("6 problems in this SYSU-MM01 tree:")
    assert not (tmp_path / "new").exists()


def test_a_long_list_is_cut_short(tmp_path):
    root = write_sysu_mm01(tmp_path / "source")
    for file in root.glob("cam*/*/*.jpg"):
        file.write_bytes(b"")
    message = refused("sysu_mm01", root, tmp_path / "data", unofficial=True)
    assert "... and 36 more" in message and len(message.splitlines()) < 25


@pytest.mark.parametrize(
    ("dataset", "write", "hint"),
    [
        ("regdb", write_sysu_mm01, "looks like SYSU-MM01, not RegDB: --dataset=sysu_mm01"),
        ("sysu_mm01", write_regdb, "looks like RegDB, not SYSU-MM01: --dataset=regdb"),
        ("sysu_mm01", write_llcm, "looks like LLCM, not SYSU-MM01: --dataset=llcm"),
    ],
)
def test_another_layout_is_recognised(tmp_path, dataset, write, hint):
    write(tmp_path / "source")
    assert hint in refused(dataset, tmp_path / "source", tmp_path / "data")


def test_a_folder_too_high_is_recognised(tmp_path):
    write_regdb(tmp_path / "source/RegDB")
    hint = f"begins one folder below: --source={tmp_path}/source/RegDB"
    assert hint in refused("regdb", tmp_path / "source", tmp_path / "data")


def test_a_wrong_source_and_trial_are_told(tmp_path):
    assert "does not exist" in refused("regdb", tmp_path / "no", tmp_path / "data")
    assert "trials 1 to 10" in refused("regdb", tmp_path, tmp_path / "data", trial="11")
    assert "has no trials" in refused("llcm", tmp_path, tmp_path / "data", trial=1)
    assert "choose one of" in refused("market", tmp_path, tmp_path / "data")


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

    monkeypatch.setattr(record_builder.prepared, "record_digest", fail)
    message = refused("regdb", base / "source", base / "data", trial=2, unofficial=True)
    assert "No space left on device" in message
    assert everything_under(base / "data") == before


def test_what_a_killed_build_left_is_neither_used_nor_kept(base):
    leftover = base / "data/regdb/trial_2/incomplete.ABC123_1.0.0"
    shutil.copytree(base / "data/regdb/trial_1/1.0.0", leftover)
    with pytest.raises(UserError, match="not prepared"):
        prepared.read_facts("regdb", base / "data", 2)
    prepare("regdb", base / "source", base / "data", trial=2, unofficial=True)
    assert not leftover.exists()
    assert prepared.read_facts("regdb", base / "data", 2)


def test_a_lost_shard_makes_it_not_whole(base):
    (shard,) = (base / "data").rglob("regdb-test.array_record*")
    shard.unlink()
    with pytest.raises(UserError, match="is not whole"):
        prepared.read_facts("regdb", base / "data", 1)


def test_two_builds_do_not_meet(base):
    handle = os.open(base / "data", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    message = refused("regdb", base / "source", base / "data", trial=2, unofficial=True)
    os.close(handle)
    assert "in use by another" in message


def test_verify_finds_a_flipped_byte(base):
    (shard,) = (base / "data").rglob("regdb-train.array_record*")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(UserError, match="failed verification"):
        verify_prepared("regdb", base / "data", trial=1)


def test_verify_finds_another_record(base):
    facts = base / "data/regdb/trial_1/1.0.0/metadata.json"
    digest = prepared.read_facts("regdb", base / "data", 1)["records_sha256"]["test"]
    facts.write_text(facts.read_text().replace(digest, "0" * 64))
    with pytest.raises(UserError, match="split test: SHA-256"):
        verify_prepared("regdb", base / "data", trial=1)


def test_verify_finds_a_changed_source(base):
    noise(base / "source" / regdb_name("visible", 1, 0), seed=999)
    verify_prepared("regdb", base / "data", trial=1)
    with pytest.raises(UserError, match="no longer those"):
        verify_prepared("regdb", base / "data", trial=1, source=base / "source")


def test_verify_of_nothing_tells_the_command(tmp_path):
    with pytest.raises(UserError, match="prepare_data.py --dataset=llcm --source=DIR"):
        verify_prepared("llcm", tmp_path)


def fake_trees(monkeypatch):
    """The renderer, in place of which noise is written: it is another module's matter."""

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


def test_made_up_data_are_rendered_once_and_built_as_unofficial(tmp_path, monkeypatch, capsys):
    fake_trees(monkeypatch)
    flags = options(dataset="synthetic", data_dir=str(tmp_path / "data"))
    prepare_data.run(flags)
    assert (tmp_path / "data/synthetic_source/regdb_4_0/Visible/1").is_dir()
    assert prepared.read_facts("regdb", tmp_path / "data", 1)["official"] is False
    fake_trees(monkeypatch)
    prepare_data.run(flags)
    prepare_data.run(options(dataset="synthetic", data_dir=str(tmp_path / "data"), verify=True))
    told = capsys.readouterr().out
    assert ": built (unofficial" in told and "left as it is" in told and "verified" in told
    with pytest.raises(UserError, match="already there, made from"):
        prepare_data.run(options(dataset="synthetic", data_dir=str(tmp_path / "data"), seed=1))


def test_flags_that_do_not_go_together_are_told_at_once():
    with pytest.raises(UserError) as error:
        prepare_data.run(options(dataset="regbd", data_dir=None))
    assert error.value.about == ("--dataset", "--data_dir")


def run_script(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_the_script_ends_with_status_2_and_a_sentence(done, tmp_path):
    shutil.copytree(done / "source", tmp_path / "source")
    (tmp_path / "source/idx/test_visible_1.txt").unlink()
    flags = (f"--source={tmp_path}/source", f"--data_dir={tmp_path}/data", "--trial=1")
    ended = run_script("--dataset=regdb", *flags, "--unofficial")
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
