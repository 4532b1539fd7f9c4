"""The walk over folders of pictures: what it finds, and that nothing is left out in silence."""

import os

import pytest
from PIL import Image
from support.trees import noise, touch

from dmcf_jax.data.datasets.folder_names import contradictions, modality_of
from dmcf_jax.data.datasets.walk import folders_of, walk


def counts(found):
    return {reason.split(" (")[0]: len(paths) for reason, paths in found.left_out.items()}


def test_all_kinds_that_pillow_reads_are_found(tmp_path):
    kinds = {"a.png": "PNG", "b.JPEG": "JPEG", "c.tif": "TIFF", "d.webp": "WEBP", "e.jfif": "JPEG"}
    kinds |= {"f.jpe": "JPEG", "g.dib": "BMP", "h.TIFF": "TIFF"}
    for name, kind in kinds.items():
        Image.new("RGB", (4, 4)).save(tmp_path / name, kind)
    found = walk(tmp_path)
    assert found.pictures == sorted(kinds) and found.notes() == []


def test_what_is_left_out_is_counted_by_its_reason(tmp_path):
    for name in ("ok.png", "a.gif", "b.heic", "c.mp4", "Thumbs.db", "list.csv", ".hidden.png"):
        touch(tmp_path / name)
    for name in ("__MACOSX/._ok.png", "sub/@eaDir/ok.png", ".cache/ok.png", "$RECYCLE.BIN/ok.png"):
        touch(tmp_path / name)
    os.symlink("nowhere", tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.png")
    found = walk(tmp_path)
    assert found.pictures == ["ok.png"]
    assert counts(found) == {
        "pictures of kinds that are not read": 2,
        "videos": 1,
        "files that are no pictures": 2,
        "hidden files": 1,
        "hidden folders and those that programs make": 4,
        "broken links and what is no file": 2,
    }
    assert len(found.notes()) == 6 and any("2 (a.gif, b.heic)" in note for note in found.notes())


def test_links_are_followed_once_and_loops_end(tmp_path):
    noise(tmp_path / "nas/more/b.png", 1)
    noise(tmp_path / "gallery/z/a.png", 2)
    os.symlink(tmp_path / "nas/more", tmp_path / "gallery/more")
    os.symlink("..", tmp_path / "gallery/z/up")
    os.symlink("z", tmp_path / "gallery/again")  # sorted before z, which keeps its own name
    found = walk(tmp_path / "gallery")
    assert found.pictures == ["more/b.png", "z/a.png"]
    assert counts(found) == {"links to folders that are read already": 2}


def test_a_folder_that_may_not_be_read_is_said(tmp_path, monkeypatch):
    noise(tmp_path / "a/x.png", 1)
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(path):  # the tests may run as root, whom no permission stops
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = walk(tmp_path)
    assert found.pictures == ["a/x.png"]
    assert found.left_out == {"folders that cannot be read (Permission denied)": ["closed"]}


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("Visible", "visible"),
        ("test_nir", "infrared"),
        ("RGB", "visible"),
        ("Thermal", "infrared"),
        ("irene", None),
        ("cam3", None),
        ("visibly", None),
    ],
)
def test_names_of_folders_say_a_modality(name, modality):
    assert modality_of(name) == modality


def test_cameras_contradict_only_in_the_layout_of_sysu_mm01(tmp_path):
    sysu = [f"cam{n}/{pid:04d}/0001.jpg" for n in range(1, 7) for pid in (1, 2)]
    about = [p.about for p in contradictions(tmp_path, folders_of(sysu), "visible", "--images")]
    assert about == [str(tmp_path / "cam3"), str(tmp_path / "cam6")]
    own = [f"ann/cam{n}/0001.jpg" for n in range(1, 7)]
    assert contradictions(tmp_path, folders_of(own), "visible", "--images") == []
