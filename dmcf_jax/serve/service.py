"""What the server does, without HTTP: search, explain, add, show a picture."""

import dataclasses
import functools
from typing import Any

import numpy as np
from PIL import Image

from dmcf_jax.data import decode
from dmcf_jax.data.records.verify_images import read_image_file
from dmcf_jax.methods.network.two_streams import has_levels
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.html.page import thumbnail
from dmcf_jax.retrieval.explain import explain
from dmcf_jax.retrieval.model import FeatureExtractor
from dmcf_jax.retrieval.threshold import Threshold
from dmcf_jax.serve.added import AddedPictures
from dmcf_jax.serve.batcher import Batcher
from dmcf_jax.serve.gallery import Filter, NewPicture, ServedGallery
from dmcf_jax.serve.limits import Refused

TOP = 100  # most matches of one search
LONGEST = 200  # characters of a name that is added


@dataclasses.dataclass
class Service:
    """A model and a gallery, ready to answer.

    Attributes:
        model: embeds pictures.
        gallery: is searched.
        threshold: from which score on a match is accepted; None marks nothing.
        added: where pictures are kept that people add; None where nobody may.
    """

    model: FeatureExtractor
    gallery: ServedGallery
    threshold: Threshold | None = None
    added: AddedPictures | None = None

    def __post_init__(self):
        self._batcher = Batcher(self.model.embed_pixels)

    @functools.cached_property
    def can_explain(self) -> bool:
        """Whether the model has levels that shares of a score can be shown of."""
        trained = self.model.trained
        return trained is not None and has_levels(trained.model)

    def about(self) -> dict[str, Any]:
        """Return what the page shows before the first search."""
        threshold = self.threshold
        return {
            "model": f"{self.model.source}, fingerprint {self.model.fingerprint[:12]}",
            "pictures": len(self.gallery),
            "cameras": self.gallery.cameras(),
            "threshold": threshold and {"scores": threshold.scores, "basis": threshold.basis},
            "can_explain": self.can_explain,
            "can_add": self.added is not None,
        }

    def search(self, data: bytes, modality: str, top: int, chosen: Filter) -> dict[str, Any]:
        """Return the matches of a picture, and how many are accepted where a threshold is set.

        Raises:
            Refused: no picture, or a modality or `top` that cannot be.
        """
        if not 1 <= top <= TOP:
            raise Refused(400, f"top={top}: ask for 1 to {TOP} matches")
        vector = self._batcher.embed(self._pixels(data, modality), modality)
        matches = self.gallery.search(vector, top, chosen)
        if self.model.across_only and any(match["modality"] == modality for match in matches):
            raise Refused(400, "this model compares visible with infrared pictures only")
        found: dict[str, Any] = {"matches": matches}
        if self.threshold:
            for match in matches:
                pair = match["score"], modality, match["modality"]
                match["accepted"] = self.threshold.accepts(*pair)
            found["accepted"] = sum(match["accepted"] for match in matches)
        for match in matches:
            match["time"] = None if np.isnan(match["time"]) else match["time"]
        return found

    def explain(self, data: bytes, modality: str, row: int) -> dict[str, Any]:
        """Return a pair's score and, for each level, its share and both lit pictures as JPEG.

        Raises:
            Refused: the model has no levels, or one of the pictures cannot be used.
        """
        if not self.can_explain:
            raise Refused(400, "this model has no levels to explain a score by")
        match = self._pixels(self._file(row), self.gallery.labels([row])[row]["modality"])
        modalities = modality, self.gallery.labels([row])[row]["modality"]
        found = explain(self.model, self._pixels(data, modality), match, modalities)
        levels = [
            {"name": one.name, "share": one.share, "pictures": [one.query, one.match]}
            for one in found.levels
        ]
        for level in levels:
            level["pictures"] = [thumbnail(Image.fromarray(p)).hex() for p in level["pictures"]]
        return {"score": found.score, "levels": levels}

    def add(self, data: bytes, labels: dict[str, str]) -> int:
        """Add a picture to the gallery and return its row.

        Args:
            labels: identity, modality and camera; '' is unknown.

        Raises:
            Refused: nothing may be added, no picture, or labels that cannot be.
        """
        if self.added is None:
            raise Refused(403, "this server was started without --added=FOLDER")
        long = [name for name, value in labels.items() if len(value) > LONGEST]
        if long or not all(value.isprintable() for value in labels.values()):
            raise Refused(400, f"names have at most {LONGEST} characters, all of them printable")
        pixels = self._pixels(data, labels["modality"])
        vector = self._batcher.embed(pixels, labels["modality"])
        file = self.added.store(data, labels)
        return self.gallery.add(NewPicture(file, {"path": file.name, **labels}, vector))

    def picture(self, row: int) -> bytes:
        """Return a gallery picture as a small JPEG.

        Raises:
            Refused: there is no such row, or its file cannot be read now.
        """
        try:
            return thumbnail(decode.decode(self._file(row), None))
        except decode.BadImage as error:
            raise Refused(404, f"the picture {error}") from None

    def _file(self, row: int) -> bytes:
        try:
            return read_image_file(self.gallery.file(row))
        except IndexError:
            raise Refused(404, f"the gallery has no picture {row}") from None
        except decode.BadImage as error:
            raise Refused(404, f"the picture {error}") from None

    def _pixels(self, data: bytes, modality: str) -> np.ndarray:
        if modality not in MODALITIES:
            raise Refused(400, f"modality: choose {' or '.join(MODALITIES)}")
        try:
            return self.model.pixels_of(data)
        except decode.BadImage as error:
            raise Refused(415, f"the picture {error}") from None
