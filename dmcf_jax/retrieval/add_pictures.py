"""More pictures for a folder of embeddings, without embedding again what is there."""

import dataclasses
import shutil
from pathlib import Path

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.retrieval.embed_pictures import MAKERS, embed_pictures, refuse_changed
from dmcf_jax.retrieval.embed_pictures import refuse_differing as refuse
from dmcf_jax.retrieval.embedding_set import (
    EmbeddingSet,
    is_embedding_set,
    new_manifest,
    read_manifest,
    shard_path,
    write_manifest,
)
from dmcf_jax.retrieval.model import FeatureExtractor
from dmcf_jax.retrieval.picture_list import ImageList
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.paths import local_path


def add_pictures(
    model: FeatureExtractor,
    images: ImageList,
    out: str | Path,
    *,
    skip_bad: bool = False,
    show: bool = False,
) -> EmbeddingSet:
    """Embed those of `images` that are not in the folder `out` yet, and return all of it.

    The new ones are first embedded beside the others, in a folder of their own, so that an
    interrupted call is resumed by the next. A folder that does not exist is begun.

    Args:
        skip_bad: leave out pictures that cannot be read and list them in the manifest.
        show: show progress.

    Raises:
        UserError: what is there is of another model or folder, or some of its pictures are gone or
            changed; see also `embed_pictures`.
    """
    folder = local_path(out, "--out")
    if not is_embedding_set(folder):
        return embed_pictures(model, images, folder, skip_bad=skip_bad, show=show)
    there = EmbeddingSet(folder)
    listed = {"root": str(images.root), "count": len(images.rows), "sha256": images.digest()}
    refuse(folder, there.manifest, new_manifest(model, listed, 1), MAKERS)
    refuse_changed(there)
    known = _known(there)
    _refuse_gone(folder, known, images)
    new = [row for row in images.rows if row.path not in known]
    log(f"{len(known)} pictures are embedded already, {len(new)} are new")
    if new:
        more = dataclasses.replace(images, rows=new)
        beside = folder / "adding"
        _remove_other(beside, more, model)
        added = embed_pictures(model, more, beside, skip_bad=skip_bad, show=show)
        _take_over(there, added, listed | {"notes": list(images.notes)})
        shutil.rmtree(beside)
    return EmbeddingSet(folder)


def _remove_other(beside: Path, more: ImageList, model: FeatureExtractor) -> None:
    """Remove what an interrupted call began for other pictures than are new now."""
    begun = read_manifest(beside)
    now = model.fingerprint, more.digest()
    if begun is None or (begun["model"]["fingerprint"], begun["images"]["sha256"]) != now:
        shutil.rmtree(beside, ignore_errors=True)


def _known(there: EmbeddingSet) -> set[str]:
    labels = there.labels(range(len(there))).values()
    return {label["path"] for label in labels} | set(there.manifest["skipped"])


def _refuse_gone(folder: Path, known: set[str], images: ImageList) -> None:
    gone = sorted(known - {row.path for row in images.rows})
    if gone:
        raise UserError.listing(
            f"--out={folder} holds pictures that are not in --images now:",
            [Problem(path, path) for path in gone],
            "--add only adds: embed the pictures anew into another --out, or, for pictures of "
            "another folder, make embeddings of their own and search in both "
            "(--gallery=FIRST,SECOND).",
            at_most=10,
        )


def _take_over(there: EmbeddingSet, added: EmbeddingSet, listed: dict) -> None:
    """Give the shards of `added` the next numbers, and then, at once, let the manifest say so."""
    first = len(there.manifest["rows"])
    for number in range(len(added.manifest["rows"])):
        to = shard_path(there.folder, first + number)
        # It may be there from a call that was killed before the manifest said so.
        shutil.copyfile(shard_path(added.folder, number), to)
    both = {
        key: there.manifest[key] + added.manifest[key]
        for key in ("rows", "shards", "shards_sha256")
        if key in there.manifest
    }
    skipped = there.manifest["skipped"] | added.manifest["skipped"]
    manifest = there.manifest | both | {"skipped": skipped, "images": listed}
    write_manifest(there.folder, manifest)
