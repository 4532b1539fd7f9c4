"""People's own folders and tables with random oddities; flags as people mistype them.

No picture may be missing in silence: whatever lies in a folder is prepared, or counted as left
out, or named in the refusal.
"""

import contextlib
import os
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from support.toys import write_people
from support.trees import noise
from support.verdict import refusal

from dmcf_jax.config.words import checked_words
from dmcf_jax.data.datasets.walk import walk
from dmcf_jax.data.records import prepared
from dmcf_jax.data.records.prepare_own import prepare_own

PEOPLE = ("ann", "bo", "cy")


def _saved(name: str, kind: str | None = None, mode: str = "RGB") -> Callable[[Path], None]:
    def harm(root):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 256, (16, 8, 3), np.uint8)
        image = Image.fromarray(pixels)
        if mode == "I;16":
            image = Image.fromarray(pixels[..., 0].astype(np.uint16) + 8000)
        elif mode == "F":
            image = Image.fromarray(pixels[..., 0].astype(np.float32) / 255)
        else:
            image = image.convert(mode)
        image.save(path, kind)

    return harm


def _made(name: str, data: bytes = b"x") -> Callable[[Path], None]:
    def harm(root):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return harm


def _linked(name: str, target: str) -> Callable[[Path], None]:
    def harm(root):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, root / name)

    return harm


def _renamed(old: str, new: str) -> Callable[[Path], None]:
    return lambda root: (root / old).rename(root / new)


def _named_as_in_market1501(root: Path) -> None:
    for number, path in enumerate(sorted(root.glob("*/*/*.png"))):
        person, camera = number % 4 - 1, 1 + number % 6  # -1 is junk, 0 distractors
        word = "-1" if person < 0 else f"{person:04d}"
        path.rename(path.parents[1] / f"{word}_c{camera}s1_{number:06d}_00.png")


HARMS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda root: None,
    "jfif": _saved("visible/ann/x.jfif", "JPEG"),
    "jpe in capitals": _saved("infrared/ann/X.JPE", "JPEG"),
    "dib": _saved("visible/bo/x.dib", "BMP"),
    "tiff": _saved("visible/bo/x.tiff"),
    "webp": _saved("infrared/bo/x.webp"),
    "raw sensor": _saved("infrared/bo/raw.png", mode="I;16"),
    "fractions": _saved("infrared/bo/celsius.tif", mode="F"),
    "cmyk tiff": _saved("visible/bo/cmyk.tif", mode="CMYK"),
    "transparent": _saved("visible/cy/a.png", mode="RGBA"),
    "gif": _saved("visible/cy/a.gif"),
    "video": _made("visible/cy/a.mp4"),
    "text": _made("visible/cy/notes.txt"),
    "thumbnails": _saved("visible/cy/@eaDir/0.png"),
    "of macOS": _made("__MACOSX/visible/cy/._0.png"),
    "hidden": _saved("infrared/cy/.0.png"),
    "tracklet": _saved("infrared/cy/c2/T1/0.png"),
    "deep": _saved("visible/cy/c1/T1/more/0.png"),
    "no identity": _saved("visible/stray.png"),
    "beside": _saved("other/0.png"),
    "in the root": _saved("0.png"),
    "loop": _linked("visible/ann/loop", ".."),
    "loop to itself": _linked("visible/self", "self"),
    "link outside": _linked("infrared/ann/far", "../../../far"),
    "link broken": _linked("visible/ann/gone.png", "nowhere"),
    "capital": _renamed("visible", "Visible"),
    "one modality": _renamed("infrared", "visible/zed"),
    "garbage": _made("visible/ann/bad.png", bytes(range(256))),
    "web page": _made("visible/ann/page.jpg", b"<!DOCTYPE html>"),
    "empty": _made("infrared/ann/empty.bmp", b""),
    "pipe": lambda root: os.mkfifo(root / "visible/ann/pipe.png"),
    "bytes in a name": lambda root: os.rename(
        os.fsencode(root / "visible/ann/0.png"), os.fsencode(root / "visible/ann") + b"/\xff.png"
    ),
    "names of Market-1501": _named_as_in_market1501,
    "other form": _renamed("infrared/bo", unicodedata.normalize("NFD", "infrared/böö")),
}
SHARES = st.sampled_from([None, 0.0, 0.5, 1.0, -1.0, float("nan"), float("inf")])
cases = st.tuples(
    st.lists(st.sampled_from(sorted(HARMS)), min_size=1, max_size=4),
    st.one_of(st.just(0.5), SHARES),
    st.sampled_from([0, 0, 0, 1, -1, 2**40]),
)


def check_own(case) -> str | None:
    """Prepare a folder: all pictures are prepared, left out by count, or it is refused."""
    harms, share, seed = case
    with tempfile.TemporaryDirectory(prefix="fuzz_") as base:
        root, data = Path(base, "people"), Path(base, "data")
        write_people(root, PEOPLE)
        noise(Path(base, "far/0.png"), 1)
        for harm in harms:
            with contextlib.suppress(OSError):  # two harms may not go together
                HARMS[harm](root)
        found = refusal(lambda: prepare_own(root, data, split_by_identity=share, seed=seed))
        if found is not None:
            assert not data.exists(), "a refusal left something behind"
            return found
        _compare(root, prepared.read_metadata("own", data))
    return None


def _compare(root: Path, metadata: dict) -> None:
    """Every file of the folder is prepared or counted in a note."""
    files = [Path(at, name) for at, _, names in os.walk(root) for name in names]
    counts = metadata["counts"].values()
    taken = sum(count["visible"] + count["infrared"] for count in counts)
    linked = sum(path.startswith("infrared/ann/far/") for path in walk(root).pictures)
    left = sum(
        int(note.rpartition(": ")[2].split(" ")[0])
        for note in metadata["notes"]
        if note.startswith("left out") and "folders" not in note and "broken" not in note
    )
    in_folders = [f for f in files if {"@eaDir", "__MACOSX"} & set(f.relative_to(root).parts)]
    assert taken - linked + left + len(in_folders) == len(files), (taken, left, metadata["notes"])


NAMES = st.sampled_from(["--a", "--b", "-a", "--config.x.y", "--noa", "--set"])
VALUES = st.one_of(
    st.sampled_from(["~/x", "~nobody/x", "gs://b/x", "hf://o/n", "a,~/b", "", "1", "x=y", "C:\\x"]),
    st.text(max_size=12),
)
words = st.lists(st.one_of(st.tuples(NAMES, VALUES).map("=".join), NAMES, VALUES), max_size=5)


def check_words(case) -> str | None:
    """Read the words of a command: as many as there were, without a home's `~`, or a refusal."""

    def check():
        done = checked_words(case, repeatable=["set"])
        assert len(done) == len(case)
        assert all(b == a or "~" in a for a, b in zip(case, done, strict=True)), (case, done)

    return refusal(check)
