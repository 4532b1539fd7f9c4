"""From flags to a listening server."""

import socket
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import uvicorn

from dmcf_jax.errors import UserError
from dmcf_jax.modality import MODALITIES
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.embedding_set import EmbeddingSet, is_embedding_set
from dmcf_jax.retrieval.model import BATCH, FeatureExtractor, load_model
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.threshold import find_threshold
from dmcf_jax.runtime.console import log, log_time
from dmcf_jax.runtime.paths import local_path
from dmcf_jax.search import sources
from dmcf_jax.serve.added import TABLE, AddedPictures
from dmcf_jax.serve.app import make_app, new_token
from dmcf_jax.serve.gallery import NewPicture, ServedGallery
from dmcf_jax.serve.limits import LOCAL, Limits
from dmcf_jax.serve.service import Service


class Address(NamedTuple):
    """Where to listen, and what clients must know."""

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None


def open_service(
    model: str,
    gallery: str,
    *,
    root: str | None = None,
    added: Path | None = None,
    threshold: str | None = None,
) -> Service:
    """Load everything and return what the server needs.

    Args:
        model: see `load_model`.
        gallery: folders of dmcf embed, 'A,B'.
        root: where its pictures are now; None for where they were embedded.
        added: folder of pictures that people add.
        threshold: see `find_threshold`.

    Raises:
        UserError: there is no model or gallery, they do not belong together, or a flag is wrong.
    """
    extractor = load_model(model)
    limit = find_threshold(threshold, extractor) if threshold else None
    folders = sources(gallery)
    if others := [folder for folder in folders if not is_embedding_set(folder)]:
        raise UserError(
            f"--gallery={others[0]} holds no embeddings: make them once with "
            f"dmcf embed --model={model} --images={others[0]} --out=FOLDER",
            about="--gallery",
        )
    sets = [EmbeddingSet(folder) for folder in folders]
    for one in sets:
        one.check_model(extractor, "--gallery")
    with log_time(f"reading {sum(map(len, sets))} embeddings"):
        moved = local_path(root, "--gallery_root") if root else None
        served = ServedGallery(sets, moved)
    pictures = AddedPictures(added) if added else None
    if pictures is not None and len(pictures):
        _add_all(extractor, served, pictures)
    with log_time("compiling the network"):  # the first search would wait for it
        for modality in MODALITIES:
            for count in (1, BATCH):
                extractor.embed_pixels(np.zeros((count, *extractor.size, 3), np.uint8), modality)
    return Service(extractor, served, limit, pictures)


def _add_all(model: FeatureExtractor, gallery: ServedGallery, pictures: AddedPictures) -> None:
    """Embed what was added before."""
    listed = list_images(pictures.folder / TABLE, None, "--added")
    with tempfile.TemporaryDirectory() as folder:
        embedded = embed_pictures(model, listed, Path(folder) / "added", skip_bad=True)
        labels = embedded.labels(range(len(embedded)))
        for row, vector in enumerate(embedded.read()):
            file = pictures.folder / labels[row]["path"]
            gallery.add(NewPicture(file, labels[row] | {"path": file.name}, vector))


def serve(service: Service, address: Address, limits: Limits) -> None:
    """Listen until interrupted.

    Raises:
        UserError: the address cannot be listened on.
    """
    local = address.host in LOCAL
    token = address.token or (None if local else new_token())
    listener = _listen(address)
    app = make_app(service, limits, token, open_to_all=not local)
    host = f"[{address.host}]" if ":" in address.host else address.host
    secret = f"?token={token}" if token else ""
    log(f"Open http://{host}:{listener.getsockname()[1]}/{secret} (Ctrl-C ends)")
    config = uvicorn.Config(app, log_level="warning", server_header=False, proxy_headers=False)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=512)
    except OSError as error:
        raise UserError(
            f"--host={address.host} --port={address.port} cannot be listened on "
            f"({error.strerror or error}): name another --port, or 0 for a free one",
            about="--port",
        ) from None
