"""Any number of pictures to embeddings on disk, shard by shard, in bounded memory."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dmcf_jax.data import decode
from dmcf_jax.data.datasets.own_row import OwnRow
from dmcf_jax.data.records.verify_images import read_image_file
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.retrieval.embedding_set import (
    TEXTS,
    EmbeddingSet,
    new_manifest,
    read_manifest,
    read_shard,
    shard_path,
    write_manifest,
    write_shard,
)
from dmcf_jax.retrieval.equal_embeddings import equal_embeddings
from dmcf_jax.retrieval.model import BATCH, FeatureExtractor
from dmcf_jax.retrieval.picture_list import ImageList
from dmcf_jax.runtime.checksums import file_digest
from dmcf_jax.runtime.console import log, progress_bar
from dmcf_jax.runtime.paths import local_path
from dmcf_jax.runtime.threads import map_in_threads

SHARD_ROWS = 8192


def embed_pictures(
    model: FeatureExtractor,
    images: ImageList,
    out: str | Path,
    *,
    skip_bad: bool = False,
    shard_rows: int = SHARD_ROWS,
    at_once: int = BATCH,
    show: bool = False,
) -> EmbeddingSet:
    """Embed `images` into the folder `out` and return the embeddings in it.

    Shards that exist are kept, so the same call again resumes an interrupted one.

    Args:
        skip_bad: leave out pictures that cannot be read and list them in the manifest.
        shard_rows: pictures of a shard; memory grows with it.
        at_once: see `FeatureExtractor.embed_pixels`; another number rounds differently.
        show: show progress.

    Raises:
        UserError: every picture that cannot be read, after all others are embedded; or a folder
            that holds embeddings of another model, of other pictures, or of pictures whose files
            have changed since.
    """
    folder = local_path(out, "--out")
    for note in images.notes if show else ():
        log(f"note: {note}")
    listed = {
        "root": str(images.root),
        "count": len(images.rows),
        "sha256": images.digest(),
        "notes": list(images.notes),
    }
    manifest = new_manifest(model, listed, shard_rows)
    _begin_or_resume(folder, manifest)
    begun = read_manifest(folder)
    assert begun is not None  # it is there by now
    if begun["complete"]:
        found = EmbeddingSet(folder)
        refuse_changed(found)
        return found
    starts = range(0, len(images.rows), shard_rows)
    bad: list[Problem] = []
    with progress_bar("embedding", len(images.rows), show) as advance:
        for number, start in enumerate(starts):
            rows = images.rows[start : start + shard_rows]
            if shard_path(folder, number).exists():
                advance(len(rows))
            else:
                bad += _make_shard(model, images, rows, folder, number, skip_bad, at_once, advance)
    if bad:
        raise UserError.listing(
            f"{len(bad)} of {len(images.rows)} pictures cannot be read:",
            bad,
            "Correct or remove them, or add --skip_bad; finished embeddings are kept.",
        )
    _finish(folder, manifest)
    found = EmbeddingSet(folder)
    if note := equal_embeddings(found):
        log(f"NOTE: {note}")
    return found


def refuse_changed(embeddings: EmbeddingSet) -> None:
    """Compare the files of all embedded pictures with the hashes taken when they were read.

    Raises:
        UserError: naming every picture that is another one now or gone.
    """
    hashes = embeddings.hashes()

    def check(path: str) -> Problem | None:
        try:
            digest = hashlib.sha256(read_image_file(embeddings.root / path)).hexdigest()
        except decode.BadImage as error:
            return Problem(path, f"{path} {error}")
        return None if digest == hashes[path] else Problem(path, f"{path} is another picture now")

    changed = [problem for problem in map_in_threads(check, list(hashes)) if problem]
    if changed:
        raise UserError.listing(
            f"the embeddings in {embeddings.folder} are those of other pictures:",
            changed,
            "Delete the folder or name another --out, and embed again.",
            at_most=10,
        )


def _begin_or_resume(folder: Path, manifest: dict) -> None:
    """Begin a folder, or check that it was begun with the same model and pictures."""
    existing = read_manifest(folder)
    if existing is None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            text = f"--out={folder} exists and holds other files; name a new folder"
            raise UserError(text, about="--out")
        write_manifest(folder, manifest)
        return
    refuse_differing(folder, existing, manifest)
    if existing["shard_rows"] != manifest["shard_rows"]:
        text = f"--out={folder} was begun with {existing['shard_rows']} pictures in each shard"
        raise UserError(text, about="--out")


PICTURES = (("number of pictures", "images", "count"), ("list of pictures", "images", "sha256"))
MAKERS = (("model", "model", "fingerprint"), ("folder of the pictures", "images", "root"))


def refuse_differing(
    folder: Path,
    existing: dict,
    manifest: dict,
    what: tuple[tuple[str, str, str], ...] = MAKERS + PICTURES,
) -> None:
    """Compare two manifests of one folder.

    Args:
        folder: for the message.
        existing, manifest: what is there, and what it is to be.
        what: (title, group, key) of what must be equal.

    Raises:
        UserError: naming all that differs.
    """
    differing = [
        Problem(
            title,
            f"{title}: {_short(existing[name][key])} there, {_short(manifest[name][key])} now",
        )
        for title, name, key in what
        if existing[name][key] != manifest[name][key]
    ]
    if differing:
        raise UserError.listing(
            f"--out={folder} holds embeddings of another model or of other pictures:",
            differing,
            "They must not mix: name another --out, or delete the folder. For more pictures in "
            "the same folder add --add.",
        )


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text


def _make_shard(
    model: FeatureExtractor,
    images: ImageList,
    rows: list[OwnRow],
    folder: Path,
    number: int,
    skip_bad: bool,
    at_once: int,
    advance: Callable[[int], None],
) -> list[Problem]:
    """Embed and write one shard; return its unreadable pictures instead if not to be skipped."""
    embeddings = np.empty((len(rows), model.dimension), np.float32)
    reasons: dict[int, str] = {}
    hashes: dict[int, str] = {}
    for indices, pixels, modality in _batches(model, images, rows, reasons, hashes, advance):
        embeddings[indices] = model.embed_pixels(pixels, modality, at_once)
    if reasons and not skip_bad:
        bad = [(rows[index].path, reason) for index, reason in sorted(reasons.items())]
        return [Problem(path, f"{path}: {reason}") for path, reason in bad]
    good = [index for index in range(len(rows)) if index not in reasons]
    _refuse_nan(embeddings, rows, good)
    texts = {name: _texts(getattr(rows[index], name) for index in good) for name in TEXTS}
    skipped = sorted(reasons)
    write_shard(
        shard_path(folder, number),
        {
            "embedding": embeddings[good],
            **texts,
            "sha256": _texts(hashes[index] for index in good),
            "skipped_path": _texts(rows[index].path for index in skipped),
            "skipped_reason": _texts(reasons[index] for index in skipped),
        },
    )
    return []


def _batches(
    model: FeatureExtractor,
    images: ImageList,
    rows: list[OwnRow],
    reasons: dict[int, str],
    hashes: dict[int, str],
    advance: Callable[[int], None],
) -> Iterator[tuple[list[int], np.ndarray, str]]:
    """Yield (indices of `rows`, pixels, modality) of batches of one modality.

    Args:
        reasons: receives why a picture cannot be read, by index of `rows`.
        hashes: receives the SHA-256 of each picture's file.
        advance: called with the number of pictures read.
    """

    def read(row: OwnRow) -> tuple[np.ndarray, str] | str:
        try:
            data = read_image_file(images.root / row.path)
            return model.pixels_of(data), hashlib.sha256(data).hexdigest()
        except decode.BadImage as error:
            return str(error)

    waiting: dict[str, list[tuple[int, np.ndarray]]] = {}
    for index, (row, found) in enumerate(zip(rows, map_in_threads(read, rows), strict=True)):
        if isinstance(found, str):
            reasons[index] = found
        else:
            pixels, hashes[index] = found
            waiting.setdefault(row.modality, []).append((index, pixels))
            if len(waiting[row.modality]) == BATCH:
                yield _joined(waiting.pop(row.modality), row.modality)
        advance(1)
    for modality, rest in waiting.items():
        yield _joined(rest, modality)


def _joined(
    batch: list[tuple[int, np.ndarray]], modality: str
) -> tuple[list[int], np.ndarray, str]:
    indices, pixels = zip(*batch, strict=True)
    return list(indices), np.stack(pixels), modality


def _refuse_nan(embeddings: np.ndarray, rows: list[OwnRow], good: list[int]) -> None:
    wrong = [rows[index].path for index in good if not np.isfinite(embeddings[index]).all()]
    if wrong:
        raise UserError.listing(
            f"the model gives NaN or infinity for {len(wrong)} pictures:",
            [Problem(path, path) for path in wrong],
            "Its weights are damaged or its training diverged: take another checkpoint.",
            at_most=10,
        )


def _texts(values: Iterator[str]) -> np.ndarray:
    return np.array(list(values), dtype=np.str_)


def _finish(folder: Path, manifest: dict) -> None:
    """Write into the manifest how many rows each shard has and what was skipped."""
    counts, skipped = [], {}
    for number in range(manifest["shards"]):
        names = "path", "skipped_path", "skipped_reason"
        paths, skipped_paths, reasons = read_shard(shard_path(folder, number), *names)
        counts.append(len(paths))
        skipped |= dict(zip(skipped_paths.tolist(), reasons.tolist(), strict=True))
    if not sum(counts):
        text = f"none of the {len(skipped)} pictures can be read; nothing was embedded"
        raise UserError(text, about="--images")
    for path, reason in skipped.items():
        log(f"skipped: {path} {reason}")
    done = {"complete": True, "rows": counts, "skipped": skipped}
    hashes = [file_digest(shard_path(folder, number)) for number in range(manifest["shards"])]
    write_manifest(folder, manifest | done | {"shards_sha256": hashes})
