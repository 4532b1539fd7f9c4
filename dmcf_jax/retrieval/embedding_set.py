"""Embeddings on disk: a folder of npz files without pickle, and what made them.

manifest.json    the model (source, fingerprint, dimension), the pictures (root, how many), the
                 shards and their SHA-256, the pictures that were skipped, whether it is complete
shard-00000.npz  embedding float32 [n d]; path, identity, camera, modality and the SHA-256 of the
                 picture's file as text [n]; skipped_path and skipped_reason
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float

from dmcf_jax import __version__
from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.model import FeatureExtractor
from dmcf_jax.runtime.checksums import file_digest
from dmcf_jax.runtime.files import DAMAGED_ARCHIVE, atomic_path, write_atomically

FORMAT = "dmcf_jax embeddings 1"
TEXTS = ("path", "identity", "camera", "modality")


def new_manifest(
    model: FeatureExtractor, images: dict[str, Any], shard_rows: int
) -> dict[str, Any]:
    """Return the manifest of an empty set, for embeddings of `images['count']` pictures."""
    return {
        "format": FORMAT,
        "model": {
            "source": model.source,
            "fingerprint": model.fingerprint,
            "dimension": model.dimension,
        },
        "images": images,
        "shard_rows": shard_rows,
        "shards": -(-images["count"] // shard_rows),
        "complete": False,
        "rows": [],
        "skipped": {},
        "package_version": __version__,
    }


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return folder / f"shard-{number:05d}.npz"


def write_shard(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write one shard, complete or not at all."""
    with atomic_path(path, "Name another place with --out.") as temporary:
        with open(temporary, "wb") as file:
            np.savez(file, **cast(dict[str, Any], arrays))


def read_shard(path: Path, *names: str) -> list[Any]:
    """Return arrays of a shard.

    Args:
        names: of the arrays; with '?' before it, None is returned for one that is not there.

    Raises:
        UserError: the file is damaged or missing.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return [
                file[name.removeprefix("?")] if name[0] != "?" or name[1:] in file else None
                for name in names
            ]
    except DAMAGED_ARCHIVE as error:
        raise UserError(
            f"{path} is damaged or missing ({error}); delete {path.parent} and embed again",
            about=str(path),
        ) from None


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, complete or not at all."""
    text = json.dumps(manifest, indent=1) + "\n"
    write_atomically(folder / "manifest.json", text, "Name another place with --out.")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return a folder's manifest, or None if there is none.

    Raises:
        UserError: it cannot be read, or is of another version.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        known = manifest["format"] == FORMAT
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        path = folder / "manifest.json"
        raise UserError(f"{path} cannot be read ({error})", about=str(path)) from None
    if not known:
        text = f"{folder} has the format {manifest['format']!r}, expected {FORMAT!r}"
        raise UserError(text, about=str(folder))
    return manifest


def is_embedding_set(path: str | Path) -> bool:
    """Return whether `path` is a folder that dmcf embed wrote."""
    return (Path(path) / "manifest.json").is_file()


class EmbeddingSet:
    """Complete embeddings of a list of pictures, read shard by shard.

    Attributes:
        folder: where they are.
        manifest: what made them.
        root: the folder that their paths start from.
        dimension: length of an embedding.
    """

    def __init__(self, folder: str | Path):
        """Read the manifest.

        Raises:
            UserError: there is none, or not all shards are made.
        """
        self.folder = Path(folder)
        manifest = read_manifest(self.folder)
        if manifest is None:
            text = f"{folder} holds no embeddings; make them with dmcf embed"
            raise UserError(text, about=str(folder))
        if not manifest["complete"]:
            raise UserError(
                f"the embeddings in {folder} are not complete: run the same dmcf embed again "
                "to resume",
                about=str(folder),
            )
        self.manifest = manifest
        self.root = Path(manifest["images"]["root"])
        self.dimension = int(manifest["model"]["dimension"])
        self._checked: set[int] = set()  # shards whose hash is right
        self._starts = np.concatenate([[0], np.cumsum(manifest["rows"], dtype=np.int64)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def blocks(self) -> Iterator[Float[np.ndarray, "n d"]]:
        """Yield the embeddings, float32, a shard at a time."""
        for number, rows in enumerate(self.manifest["rows"]):
            yield self._array(number, "embedding", (rows, self.dimension))

    def read(self) -> Float[np.ndarray, "n d"]:
        """Return all embeddings at once."""
        blocks = [np.empty((0, self.dimension), np.float32), *self.blocks()]
        return np.concatenate(blocks)

    def labels(self, rows: Iterable[int]) -> dict[int, dict[str, str]]:
        """Return path, identity, camera and modality of each of `rows`, by row."""
        unique = np.unique(np.fromiter(rows, np.int64))
        shards = np.searchsorted(self._starts, unique, side="right") - 1
        found = {}
        for number in np.unique(shards).tolist():
            in_shard = unique[shards == number]
            lines = in_shard - self._starts[number]
            count = self.manifest["rows"][number]
            texts = {name: self._array(number, name, (count,))[lines] for name in TEXTS}
            for line, row in enumerate(in_shard.tolist()):
                found[row] = {name: str(texts[name][line]) for name in TEXTS}
        return found

    def column(self, name: str) -> Iterator[np.ndarray]:
        """Yield one of `TEXTS` of all rows, a shard at a time."""
        for number, rows in enumerate(self.manifest["rows"]):
            yield self._array(number, name, (rows,))

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each picture's file by its path; none of older embeddings."""
        found: dict[str, str] = {}
        for number in range(len(self.manifest["rows"])):
            paths, hashes = read_shard(shard_path(self.folder, number), "path", "?sha256")
            if hashes is not None:
                found |= dict(zip(paths.tolist(), hashes.tolist(), strict=True))
        return found

    def digest(self) -> str:
        """Return the SHA-256 over all shards: what an index of these embeddings belongs to."""
        shards = self.manifest.get("shards_sha256") or [
            file_digest(shard_path(self.folder, number))
            for number in range(len(self.manifest["rows"]))
        ]
        return hashlib.sha256("\n".join(shards).encode()).hexdigest()

    def check_modality(self, modality: str | None, flag: str) -> None:
        """Refuse a modality that these pictures were not embedded as.

        Args:
            modality: 'visible', 'infrared' or None for whatever they are.
            flag: that named it.

        Raises:
            UserError: some pictures are of the other modality.
        """
        for number, rows in enumerate(self.manifest["rows"] if modality else ()):
            others = set(self._array(number, "modality", (rows,)).tolist()) - {modality, ""}
            if others:
                text = f"{flag}={modality}: {self.folder} holds {others.pop()} pictures, too"
                raise UserError(f"{text}; it knows the modality of each: leave it out", about=flag)

    def check_model(self, model: FeatureExtractor, what: str) -> None:
        """Check that `model` made these embeddings.

        Args:
            what: the flag that named them, for the message.

        Raises:
            UserError: another model made them.
        """
        maker = self.manifest["model"]
        if maker["fingerprint"] == model.fingerprint:
            return
        raise UserError(
            f"{what}={self.folder} holds embeddings of another model, and those cannot be "
            f"compared: they were made by {maker['source']} ({maker['dimension']} numbers each, "
            f"fingerprint {maker['fingerprint'][:12]}), --model={model.source} makes "
            f"{model.dimension} (fingerprint {model.fingerprint[:12]}). Embed the pictures again "
            "with one model.",
            about=what,
        )

    def _array(self, number: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
        path = shard_path(self.folder, number)
        self._check_hash(number, path)
        (array,) = read_shard(path, name)
        if array.shape != shape:
            text = f"{path}: {name} is {array.shape}, expected {shape}; embed again"
            raise UserError(text, about=str(path))
        return array

    def _check_hash(self, number: int, path: Path) -> None:
        """Refuse a shard that the manifest was not written for, when it is first read."""
        hashes = self.manifest.get("shards_sha256")  # older embeddings have none
        if number in self._checked or hashes is None:
            return
        try:
            digest = file_digest(path)
        except OSError:
            return  # the reader says why
        if digest != hashes[number]:
            raise UserError(
                f"{path} is not the shard that manifest.json was written for: it is damaged or of "
                f"other embeddings; delete {self.folder} and embed again",
                about=str(path),
            )
        self._checked.add(number)
