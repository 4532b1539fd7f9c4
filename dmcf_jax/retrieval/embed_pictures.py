"""Any number of pictures to embeddings on disk, shard by shard, in bounded memory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dmcf_jax.data import decode
from dmcf_jax.data.datasets.own_table import OwnRow
from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embedding_set import (
    TEXTS,
    EmbeddingSet,
    new_manifest,
    read_manifest,
    shard_path,
    write_manifest,
    write_shard,
)
from dmcf_jax.retrieval.model import BATCH, LoadedModel
from dmcf_jax.retrieval.picture_list import ImageList
from dmcf_jax.runtime.console import log, progress_bar
from dmcf_jax.runtime.threads import map_in_threads

SHARD_ROWS = 8192
Pixels = np.ndarray | str


def embed_files(
    model: LoadedModel,
    images: ImageList,
    out: str | Path,
    *,
    skip_bad: bool = False,
    shard_rows: int = SHARD_ROWS,
    show: bool = False,
) -> EmbeddingSet:
    """Embed `images` into the folder `out`, from where it stands, and return what is there.

    Shards that are there are kept, so a call that was cut short is continued by the same call.

    Args:
        skip_bad: leave out pictures that cannot be read and list them in the manifest.
        shard_rows: pictures to a file; memory grows with it.
        show: show progress.

    Raises:
        UserError: every picture that cannot be read, after all others are embedded; or a folder
            that holds embeddings of another model or of other pictures.
    """
    folder = Path(out)
    about = {
        "root": str(images.root),
        "count": len(images.rows),
        "sha256": images.digest(),
    }
    manifest = new_manifest(model, about, shard_rows)
    _claim(folder, manifest)
    if read_manifest(folder)["complete"]:
        return EmbeddingSet(folder)
    starts = range(0, len(images.rows), shard_rows)
    bad: list[str] = []
    with progress_bar("embedding", len(images.rows), show) as advance:
        for number, start in enumerate(starts):
            rows = images.rows[start : start + shard_rows]
            if shard_path(folder, number).exists():
                advance(len(rows))
            else:
                bad += _make_shard(model, images, rows, folder, number, skip_bad, advance)
    if bad:
        raise UserError.listing(
            f"{len(bad)} of {len(images.rows)} pictures cannot be read:",
            bad,
            "Mend or remove them, or add --skip_bad; what is embedded is kept and not done again.",
        )
    _finish(folder, manifest)
    return EmbeddingSet(folder)


def _claim(folder: Path, manifest: dict) -> None:
    """Begin a folder, or make sure that it was begun by the same model and pictures."""
    there = read_manifest(folder)
    if there is None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"--out={folder} exists and holds something else; name a new folder")
        write_manifest(folder, manifest)
        return
    differing = [
        f"{title}: {_short(there[name][key])} there, {_short(manifest[name][key])} now"
        for title, name, key in (
            ("model", "model", "fingerprint"),
            ("folder of the pictures", "images", "root"),
            ("number of pictures", "images", "count"),
            ("list of pictures", "images", "sha256"),
        )
        if there[name][key] != manifest[name][key]
    ]
    if differing:
        raise UserError.listing(
            f"--out={folder} holds embeddings of another model or of other pictures:",
            differing,
            "They must not mix: name another --out, or delete the folder.",
        )
    if there["shard_rows"] != manifest["shard_rows"]:
        raise UserError(f"--out={folder} was begun with {there['shard_rows']} pictures to a shard")


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text


def _make_shard(
    model: LoadedModel,
    images: ImageList,
    rows: list[OwnRow],
    folder: Path,
    number: int,
    skip_bad: bool,
    advance: Callable[[int], None],
) -> list[str]:
    """Embed one shard and write it, unless pictures are bad and not to be skipped: name them."""
    embeddings = np.empty((len(rows), model.dimension), np.float32)
    reasons: dict[int, str] = {}
    for places, pixels, modality in _batches(model, images, rows, reasons, advance):
        embeddings[places] = model.embed_pixels(pixels, modality)
    bad = [f"{rows[place].path}: {reason}" for place, reason in sorted(reasons.items())]
    if bad and not skip_bad:
        return bad
    good = [place for place in range(len(rows)) if place not in reasons]
    _refuse_unusable(embeddings, rows, good)
    texts = {name: _texts(getattr(rows[place], name) for place in good) for name in TEXTS}
    skipped = sorted(reasons)
    write_shard(
        shard_path(folder, number),
        {
            "embedding": embeddings[good],
            **texts,
            "skipped_path": _texts(rows[place].path for place in skipped),
            "skipped_reason": _texts(reasons[place] for place in skipped),
        },
    )
    return []


def _batches(
    model: LoadedModel,
    images: ImageList,
    rows: list[OwnRow],
    reasons: dict[int, str],
    advance: Callable[[int], None],
) -> Iterator[tuple[list[int], np.ndarray, str]]:
    """Yield (places in `rows`, pixels, modality) batch by batch; bad ones go to `reasons`."""

    def read(row: OwnRow) -> Pixels:
        try:
            return model.read(images.root / row.path)
        except decode.BadImage as error:
            return str(error)

    waiting: dict[str, list[tuple[int, np.ndarray]]] = {}
    for place, (row, pixels) in enumerate(zip(rows, map_in_threads(read, rows), strict=True)):
        if isinstance(pixels, str):
            reasons[place] = pixels
        else:
            waiting.setdefault(row.modality, []).append((place, pixels))
            if len(waiting[row.modality]) == BATCH:
                yield _joined(waiting.pop(row.modality), row.modality)
        advance(1)
    for modality, rest in waiting.items():
        yield _joined(rest, modality)


def _joined(batch: list[tuple[int, np.ndarray]], modality: str) -> tuple:
    places, pixels = zip(*batch, strict=True)
    return list(places), np.stack(pixels), modality


def _refuse_unusable(embeddings: np.ndarray, rows: list[OwnRow], good: list[int]) -> None:
    wrong = [place for place in good if not np.isfinite(embeddings[place]).all()]
    if wrong:
        shown = [rows[place].path for place in wrong[:10]]
        raise UserError.listing(
            f"the model gives NaN or infinity for {len(wrong)} pictures, such as:",
            shown,
            "Its weights are damaged or its training diverged: take another checkpoint.",
        )


def _texts(values: Iterator[str]) -> np.ndarray:
    return np.array(list(values), dtype=np.str_)


def _finish(folder: Path, manifest: dict) -> None:
    """Write into the manifest how many rows each shard has and what was skipped."""
    counts, skipped = [], {}
    for number in range(manifest["shards"]):
        with np.load(shard_path(folder, number), allow_pickle=False) as file:
            counts.append(len(file["path"]))
            paths, reasons = file["skipped_path"].tolist(), file["skipped_reason"].tolist()
        skipped |= dict(zip(paths, reasons, strict=True))
    if not sum(counts):
        raise UserError(f"none of the {len(skipped)} pictures can be read; nothing was embedded")
    for path, reason in skipped.items():
        log(f"skipped: {path} {reason}")
    write_manifest(folder, manifest | {"complete": True, "rows": counts, "skipped": skipped})
