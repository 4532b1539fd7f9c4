"""The field's evaluation protocols, by name: who is query, who is gallery, who is ignored.

Each is a small piece of data. Published numbers differ silently in these choices, so every result
names its protocol.

SYSU-MM01. Queries are all infrared images (cameras 3 and 6), in 'indoor' search too, where many
have no relevant image. Cameras 2 and 3 are the same room: a query of camera 3 ignores all of
camera 2. The rank is that of the right identity among distinct identities. Ten trials draw one
('single') or ten ('multi') images of each identity in each gallery camera, by `random.seed(trial)`
as most published Python code does, or by the official `rand_perm_cam.mat`.

RegDB. Ten trials are ten splits of the data, with one model each; within a trial there is nothing
to draw. The rank is that of the first correct image; some code counts distinct identities
instead, which changes rank-5 and beyond ('unique-id').

LLCM. Gallery of one image for each identity and camera, ten draws; a query ignores images of its
own identity from its own camera. 'inverted' is what the published visible-to-infrared numbers
were computed with: the drawn infrared images query all visible images.

Market-1501. Its rule within one modality, for any data with cameras: every image queries all
others, without those of its own identity from its own camera; the rank is that of the first correct
image. In files of its features, identity -1 is junk, which no query sees.
"""

import dataclasses
import difflib
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.galleries import Metadata, Selection, directories, select
from dmcf_jax.evaluation.permutations import Permutations
from dmcf_jax.modality import INFRARED, MODALITIES, VISIBLE

SAME_PERSON_AND_CAMERA = "same-identity-same-camera"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way to evaluate.

    name, dataset, description: for people and result files; dataset is '' for any.
    queries, gallery: which images of the test split.
    ignore: 'none', 'cam3-cam2' or 'same-identity-same-camera'; see `ranking.rank_queries`.
    cmc: 'image' or 'identity'.
    trials: draws of the gallery for one model, numbered from 0.
    models: how many separately trained models (splits of the data) a full result averages.
    """

    name: str
    dataset: str
    description: str
    queries: Selection
    gallery: Selection
    ignore: str = "none"
    cmc: str = "image"
    trials: int = 1
    models: int = 1

    @property
    def within(self) -> bool:
        """Whether queries and gallery are of one modality."""
        return self.queries.modality == self.gallery.modality

    @property
    def needs_permutations(self) -> bool:
        """Whether `rand_perm_cam.mat` is needed."""
        return "official" in (self.queries.draw, self.gallery.draw)


def list_protocols() -> list[Protocol]:
    """Return every protocol, in order of name within each data set."""
    return list(_PROTOCOLS.values())


def family_of(protocol: str) -> str:
    """Return the family of a protocol, such as 'regdb' of 'regdb/thermal-to-visible'."""
    return protocol.split("/")[0]


def find_protocol(name: str) -> Protocol:
    """Return the protocol called `name`.

    Raises:
        UserError: there is none, with the most similar names.
    """
    if name in _PROTOCOLS:
        return _PROTOCOLS[name]
    near = difflib.get_close_matches(name, _PROTOCOLS, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UserError(
        f"no protocol is called {name!r}. {hint}All: {', '.join(_PROTOCOLS)}", about=name
    )


def queries_and_gallery(
    protocol: Protocol,
    metadata: Metadata,
    trial: int,
    permutations: Permutations | None = None,
) -> tuple[Int[np.ndarray, " q"], Int[np.ndarray, " g"]]:
    """Return the rows of queries and of gallery in one trial (from 0).

    Rows are in order of identity, camera, path; an official gallery in order of camera, identity,
    draw. The trial matters to drawn selections only.

    Raises:
        UserError: no such trial, or the split lacks the images.
    """
    if not 0 <= trial < protocol.trials:
        raise UserError(
            f"trial {trial}: {protocol.name} has trials 0..{protocol.trials - 1}", about="trial"
        )
    query_rows, gallery_rows = (
        select(selection, directories(metadata, selection), trial, permutations)
        for selection in (protocol.queries, protocol.gallery)
    )
    return query_rows, gallery_rows


def _sysu_mm01() -> Iterator[Protocol]:
    cameras = {"all": (1, 2, 4, 5), "indoor": (1, 2)}
    for mode in ("all", "indoor"):
        for shots in (1, 10):
            for draw in ("python-seeded", "official"):
                word = "single" if shots == 1 else "multi"
                yield Protocol(
                    name=f"sysu_mm01/{mode}/{word}/{draw}",
                    dataset="sysu_mm01",
                    description=f"SYSU-MM01 {mode} search, {word}-shot, {draw} galleries",
                    queries=Selection(INFRARED, (3, 6)),
                    gallery=Selection(VISIBLE, cameras[mode], draw, shots),
                    ignore="cam3-cam2",
                    cmc="identity",
                    trials=10,
                )


def _regdb() -> Iterator[Protocol]:
    for query, name in ((VISIBLE, "visible-to-thermal"), (INFRARED, "thermal-to-visible")):
        for suffix, cmc in (("", "image"), ("/unique-id", "identity")):
            yield Protocol(
                name=f"regdb/{name}{suffix}",
                dataset="regdb",
                description=f"RegDB {name}, {cmc}-level CMC, one model for each of ten splits",
                queries=Selection(query),
                gallery=Selection(1 - query),
                cmc=cmc,
                models=10,
            )


def _llcm() -> Iterator[Protocol]:
    for query in (INFRARED, VISIBLE):
        name = f"llcm/{_direction(query)}"
        yield Protocol(
            name=name,
            dataset="llcm",
            description=f"LLCM {_direction(query)}, one gallery image for each identity and camera",
            queries=Selection(query),
            gallery=Selection(1 - query, None, "python-seeded", 1),
            ignore=SAME_PERSON_AND_CAMERA,
            cmc="identity",
            trials=10,
        )
    yield Protocol(
        name="llcm/visible-to-infrared/inverted",
        dataset="llcm",
        description="LLCM as published for visible-to-infrared: drawn infrared images query all "
        "visible images",
        queries=Selection(INFRARED, None, "python-seeded", 1),
        gallery=Selection(VISIBLE),
        ignore=SAME_PERSON_AND_CAMERA,
        cmc="identity",
        trials=10,
    )


def _plain() -> Iterator[Protocol]:
    for query in (VISIBLE, INFRARED):
        yield Protocol(
            name=f"plain/{_direction(query)}",
            dataset="",
            description=f"all {MODALITIES[query]} images query all {MODALITIES[1 - query]} images",
            queries=Selection(query),
            gallery=Selection(1 - query),
        )


def _market1501() -> Iterator[Protocol]:
    for one, name in enumerate(MODALITIES):
        yield Protocol(
            name=f"market1501/{name}",
            dataset="",
            description=f"within one modality: all {name} images query all others, without those "
            "of the query's identity in its camera (the rule of Market-1501)",
            queries=Selection(one),
            gallery=Selection(one),
            ignore=SAME_PERSON_AND_CAMERA,
        )


def _direction(query: int) -> str:
    return f"{MODALITIES[query]}-to-{MODALITIES[1 - query]}"


_PROTOCOLS = {
    protocol.name: protocol
    for family in (_sysu_mm01, _regdb, _llcm, _plain, _market1501)
    for protocol in family()
}
