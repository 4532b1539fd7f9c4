"""Downloads with random faults: missing, wrong, odd, hostile; prepared completely or refused."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from support.trees import write_llcm, write_regdb, write_sysu_mm01
from support.verdict import refusal

from dmcf_jax.data.image_store import load_images
from dmcf_jax.data.records.prepare import prepare
from dmcf_jax.data.records.verify_records import verify_prepared

WRITERS = {
    "regdb": lambda root: write_regdb(root, trials=(1,)),
    "sysu_mm01": lambda root: write_sysu_mm01(root, images=1),
    "llcm": write_llcm,
}
IMAGES = (".jpg", ".bmp", ".png")


@cache
def template(name: str) -> Path:
    """Return a faultless tree, made once."""
    return WRITERS[name](Path(tempfile.mkdtemp(prefix="fuzz_tree_")))


class Tree:
    """A copy of a template with what the harms need to choose from it."""

    def __init__(self, name: str, root: Path, numbers: list[int]):
        shutil.copytree(template(name), root)
        self.name, self.root, self._numbers = name, root, list(numbers)

    def number(self, below: int) -> int:
        """Return the next of the drawn numbers, below `below`."""
        self._numbers.append(self._numbers.pop(0))
        return self._numbers[-1] % max(below, 1)

    def _choose(self, found) -> Path | None:
        found = sorted(found)
        return found[self.number(len(found))] if found else None

    def image(self) -> Path | None:
        """Choose an image file."""
        return self._choose(p for p in self.root.rglob("*") if p.suffix in IMAGES and p.is_file())

    def folder(self) -> Path | None:
        """Choose a folder, of any depth."""
        return self._choose(p for p in self.root.rglob("*") if p.is_dir() and not p.is_symlink())

    def index(self) -> Path | None:
        """Choose a list of identities or images."""
        return self._choose(p for p in self.root.rglob("*.txt") if p.is_file())


def _rewrite(mode: str, **options) -> Callable[[Tree], None]:
    def harm(tree):
        if path := tree.image():
            pixels = np.random.default_rng(tree.number(99)).integers(0, 256, (16, 8, 3), np.uint8)
            image = Image.fromarray(pixels)
            if mode == "I;16":
                image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
            else:
                image = image.convert(mode)
            # The format follows the content, not the ending: a reader goes by the bytes.
            kind = "JPEG" if mode == "CMYK" or (path.suffix == ".jpg" and mode == "L") else "PNG"
            image.save(path, format=kind, **options)

    return harm


def _exif(tree):
    orientation = Image.Exif()
    orientation[0x0112] = tree.number(10)
    _rewrite("RGB", exif=orientation)(tree)


def _bytes(data: bytes | Callable[[bytes, Tree], bytes]) -> Callable[[Tree], None]:
    def harm(tree):
        if path := tree.image():
            path.write_bytes(data if isinstance(data, bytes) else data(path.read_bytes(), tree))

    return harm


def _flip(data, tree):
    place = tree.number(len(data))
    return data[:place] + bytes([data[place] ^ 1 << tree.number(8)]) + data[place + 1 :]


def _sized(width: int, height: int) -> Callable[[Tree], None]:
    def harm(tree):
        if path := tree.image():
            Image.new("1", (width, height)).save(path, format="PNG")

    return harm


def _rename(change: Callable[[str], str | bytes]) -> Callable[[Tree], None]:
    def harm(tree):
        if path := tree.image():
            new = os.path.join(os.fsencode(path.parent), os.fsencode(change(path.name)))
            os.rename(os.fsencode(path), new)

    return harm


def _link(target: Callable[[Tree, Path], str | Path]) -> Callable[[Tree], None]:
    """Put a link in the place of an image or a folder."""

    def harm(tree):
        path = tree.image() if tree.number(2) else tree.folder()
        if path is not None:
            to = target(tree, path)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            os.symlink(to, path)

    return harm


def _outside(tree, path):
    """A place outside of the root that looks like what it replaces."""
    twin = tree.root.with_name("outside") / path.name
    if not twin.exists():
        twin.parent.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, twin, symlinks=True, ignore=shutil.ignore_patterns("0008.jpg"))
        else:
            shutil.copy(path, twin)
    return twin


def _text(change: Callable[[bytes, Tree], bytes]) -> Callable[[Tree], None]:
    def harm(tree):
        if path := tree.index():
            path.write_bytes(change(path.read_bytes(), tree))

    return harm


def _line(line: bytes) -> Callable[[Tree], None]:
    return _text(lambda data, _: data + line)


def _moved_identity(data, tree):
    """Lines of another list: identities that are in both."""
    other = tree.index()
    return data + (other.read_bytes() if other else b"")


def _gone(kind: str) -> Callable[[Tree], None]:
    def harm(tree):
        path = getattr(tree, kind)()
        if path is not None:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return harm


def _emptied(tree):
    if path := tree.folder():
        shutil.rmtree(path)
        path.mkdir()


def _stray(name: str, make: Callable[[Path], None]) -> Callable[[Tree], None]:
    def harm(tree):
        folder = tree.folder()
        if folder is not None and not (folder / name).exists():
            make(folder / name)

    return harm


def _identity_renamed(tree):
    if path := tree.image():
        path.parent.rename(path.parent.with_name(["abc", "１２", "-3", "9" * 12][tree.number(4)]))


HARMS: dict[str, Callable[[Tree], None]] = {
    "nothing": lambda tree: None,
    "file gone": _gone("image"),
    "folder gone": _gone("folder"),
    "index gone": _gone("index"),
    "folder emptied": _emptied,
    "unknown ending": _rename(lambda name: name.rsplit(".", 1)[0] + ".gif"),
    "text ending": _rename(lambda name: name + ".txt"),
    "mixed case": _rename(str.upper),
    "unicode name": _rename(lambda name: "é漢👤" + name),
    "bytes in a name": _rename(lambda name: b"\xff\xfe" + os.fsencode(name)),
    "newline in a name": _rename(lambda name: "a\nb" + name),
    "hidden": _rename(lambda name: "." + name),
    "grey": _rewrite("L"),
    "CMYK": _rewrite("CMYK"),
    "palette": _rewrite("P"),
    "16 bit": _rewrite("I;16"),
    "alpha": _rewrite("RGBA"),
    "grey alpha": _rewrite("LA"),
    "one bit": _rewrite("1"),
    "EXIF": _exif,
    "zero bytes": _bytes(b""),
    "garbage": _bytes(bytes(range(256))),
    "truncated": _bytes(lambda data, tree: data[: tree.number(len(data))]),
    "flipped": _bytes(_flip),
    "too long": _sized(5000, 2),
    "bomb": _sized(30000, 30000),
    "one pixel": _sized(1, 1),
    "loop": _link(lambda tree, path: path.name),
    "loop upwards": _link(lambda tree, path: "../" * len(path.relative_to(tree.root).parts)),
    "broken link": _link(lambda tree, path: "nowhere"),
    "link outside": _link(_outside),
    "link inside": _link(lambda tree, path: (tree.image() or path).absolute()),
    "CRLF": _text(lambda data, _: data.replace(b"\n", b"\r\n")),
    "byte order mark": _text(lambda data, _: b"\xef\xbb\xbf" + data),
    "UTF-16": _text(lambda data, _: data.decode("utf-8", "replace").encode("utf-16")),
    "zeros": _text(lambda data, _: data + b"\0\0"),
    "no line end": _text(lambda data, _: data.rstrip()),
    "empty index": _text(lambda data, _: b""),
    "blank lines": _text(lambda data, _: b"\n \n" + data + b"\n\n"),
    "line repeated": _text(lambda data, _: data + data.splitlines()[0] + b"\n" if data else data),
    "another list's": _text(_moved_identity),
    "lines shuffled": _text(lambda data, _: b"\n".join(reversed(data.splitlines()))),
    "upwards": _line(b"../../etc/passwd 0\n"),
    "upwards inside": _line(b"Visible/../../x.bmp 0\n"),
    "absolute": _line(b"/etc/passwd 0\n"),
    "backslashes": _line(b"Visible\\1\\a.bmp 0\n"),
    "no label": _line(b"Visible/1/a.bmp\n"),
    "negative label": _line(b"Visible/1/a.bmp -1\n"),
    "huge number": _line(b"99999999999999999999\n"),
    "long line": _line(b"x" * 100000 + b" 1\n"),
    "index a folder": _stray("train_id.txt", Path.mkdir),
    "folder named like an image": _stray("0009.jpg", Path.mkdir),
    "pipe named like an image": _stray("0008.jpg", os.mkfifo),
    "stray text": _stray("Thumbs.db", lambda path: path.write_text("x")),
    "extra image": _stray("0007.jpg", lambda path: Image.new("RGB", (8, 16)).save(path)),
    "identity renamed": _identity_renamed,
}

cases = st.tuples(
    st.sampled_from(sorted(WRITERS)),
    st.lists(st.sampled_from(sorted(HARMS)), min_size=1, max_size=3),
    st.lists(st.integers(0, 10**6), min_size=4, max_size=8),
)


def check_tree(case) -> str | None:
    """Prepare a tree with faults: it is prepared and verified, or refused and leaves nothing."""
    name, harms, numbers = case
    with tempfile.TemporaryDirectory(prefix="fuzz_") as base:
        tree, data_dir = Tree(name, Path(base, "source"), numbers), Path(base, "data")
        for harm in harms:
            with contextlib.suppress(OSError):  # two harms may not go together
                HARMS[harm](tree)
        trial = 1 if name == "regdb" else None
        found = refusal(lambda: prepare(name, tree.root, data_dir, trial=trial, unofficial=True))
        if found is not None:
            assert not data_dir.exists(), "a refusal left something behind"
            return found
        _compare_with_source(name, trial, tree.root, data_dir)
    return None


def _compare_with_source(name, trial, root, data_dir):
    """No image is skipped: all that the lists name are prepared."""
    (item,) = verify_prepared(name, data_dir, trial=trial, source=root)
    for split, counts in item.metadata["counts"].items():
        store = load_images(name, data_dir, (split,), (8, 4), trial=trial)
        assert len(store) == counts["visible"] + counts["infrared"] > 0
        assert set(store.path) == set(_listed(name, root, split)), split


def _listed(name, root, split):
    """Return the paths that belong to a split, read from the lists in the plainest way."""
    if name == "sysu_mm01":
        pids = (root / f"exp/{split}_id.txt").read_text("utf-8-sig").replace(",", " ").split()
        folders = [f"cam{c}/{int(pid):04d}" for c in range(1, 7) for pid in pids]
        names = [f"{f}/{n}" for f in folders if (root / f).is_dir() for n in os.listdir(root / f)]
        return [n for n in names if n.lower().endswith(IMAGES) and "/." not in n]
    files = [p for p in (root / "idx").glob(f"{split}_*.txt") if not p.stem.endswith("_id")]
    lines = [line for p in files for line in p.read_text("utf-8-sig").splitlines()]
    return [line.strip().rpartition(" ")[0].strip() for line in lines if line.strip()]
