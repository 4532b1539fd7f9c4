"""The page of an evaluation: metrics, curves, best and worst queries, errors by camera."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.evaluation.nearest import Nearest
from dmcf_jax.evaluation.results import RANKS, marked_title
from dmcf_jax.evaluation.verification_table import LEGEND, verification_rows
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.html.cmc_chart import cmc_chart
from dmcf_jax.reports.html.page import (
    camera_filter,
    document,
    labels,
    match_figure,
    picture,
    query_card,
    soft,
    table,
    text,
)
from dmcf_jax.reports.html.roc_chart import roc_chart
from dmcf_jax.reports.query_choice import best_and_worst

EACH = 5  # best queries, and worst ones


@dataclasses.dataclass(frozen=True)
class Names:
    """Names of a split's identities and cameras, by number; a number without one is shown itself.

    Attributes:
        identities, cameras: name by number, written as text.
    """

    identities: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cameras: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def identity(self, number: int) -> str:
        """Return the name of a person."""
        return self.identities.get(str(number), str(number))

    def camera(self, number: int) -> str:
        """Return the name of a camera."""
        return self.cameras.get(str(number), str(number))


def evaluation_page(
    results: Sequence[Mapping],
    lists: Sequence[Nearest],
    store: ImageStore,
    names: Names,
    source: str,
) -> str:
    """Return one self-contained HTML page.

    Args:
        results: see `dmcf_jax.evaluation.results`.
        lists: the ranked lists of each result's first trial.
        store: the split's images; rows of `lists` are its rows.
        names: of the split's people and cameras.
        source: where the model is from.
    """
    cameras = [names.camera(number) for number in np.unique(store.camera).tolist()]
    parts = [
        ranked_section(result, ranked, store, names)
        for result, ranked in zip(results, lists, strict=True)
    ]
    summary = _about(results[0], source) + _metrics(results) + cmc_chart(results)
    summary += verification_section(results)
    return document("Evaluation", summary + camera_filter(cameras) + "".join(parts))


def _about(result: Mapping, source: str) -> str:
    checkpoint = result["checkpoint"]
    lines = [f"Model: {source}, step {checkpoint['step']} (checkpoint: {checkpoint['chosen_by']})"]
    if data := result.get("data"):
        test = data["counts"]["test"]
        lines.append(
            f"Data: test split of {data['dataset']} with {test['identities']} identities, "
            f"{test['visible']} visible and {test['infrared']} infrared images"
        )
    return soft(lines)


def _metrics(results: Sequence[Mapping]) -> str:
    header = ["protocol", "queries", *(f"rank-{k}" for k in RANKS), "mAP", "mINP"]
    rows = []
    for result in results:
        mean, trial = result["mean"], result["trials"][0]
        curve = [mean["cmc"][str(min(k, len(mean["cmc"])))] for k in RANKS]
        values = [f"{100 * value:.2f} %" for value in (*curve, mean["mAP"], mean["mINP"])]
        rows.append([marked_title(result), trial["valid_queries"], *values])
    return table(header, rows)


def verification_section(results: Sequence[Mapping]) -> str:
    """Return the HTML of the verification of all pairs; '' where nothing was verified."""
    header, rows = verification_rows(results)
    if not rows:
        return ""
    trials = [t["verification"] for result in results for t in result["trials"]
              if "verification" in t]  # fmt: skip
    notes = dict.fromkeys(note for trial in trials for note in trial["notes"])
    heading = "<h2>Verification and open-set identification, %</h2>"
    about = [*LEGEND.splitlines(), *notes]
    return heading + table(header, rows) + soft(about) + roc_chart(results)


def ranked_section(
    result: Mapping, ranked: Nearest, store: ImageStore, names: Names, each: int = EACH
) -> str:
    """Return the HTML of a protocol: errors by camera, its best and its worst queries.

    Args:
        each: best queries, and worst ones.
    """
    best, worst = best_and_worst(ranked, store.identity, each)
    trial = " of the first trial" if len(result["trials"]) > 1 else ""
    about = (
        f"Ranked lists{trial} by cosine similarity: ✓ same person as the query, ✗ different "
        "person. AP: average precision."
    )
    sections = [
        f"<h2>{text(marked_title(result))}</h2>",
        soft([about]),
        _errors_table(ranked, store, names),
    ]
    for heading, chosen in (("Best queries", best), ("Worst queries", worst)):
        sections.append(f"<h2>{heading}</h2>" if chosen else "")
        sections += [_card(ranked, number, store, names) for number in chosen]
    return "".join(sections)


def errors_by_camera(
    ranked: Nearest, camera: Int[np.ndarray, " n"]
) -> dict[int, tuple[int, dict[int, int]]]:
    """Return for each query camera its number of queries, and its errors by gallery camera.

    An error is a query whose best match shows a different person.

    Args:
        camera: of the images of the split.
    """
    query_camera = camera[ranked.queries]
    wrong = ~ranked.right[:, 0]
    errors = {}
    for number in np.unique(query_camera).tolist():
        of_camera = query_camera == number
        matches = ranked.rows[of_camera & wrong, 0]
        sources, counts = np.unique(camera[matches], return_counts=True)
        by_camera = dict(zip(sources.tolist(), counts.tolist(), strict=True))
        errors[number] = int(of_camera.sum()), by_camera
    return errors


def _errors_table(ranked: Nearest, store: ImageStore, names: Names) -> str:
    errors = errors_by_camera(ranked, store.camera)
    sources = sorted({camera for _, by_camera in errors.values() for camera in by_camera})
    header = ["query camera", "queries", "wrong at rank 1"]
    header += [f"of these from camera {names.camera(camera)}" for camera in sources]
    rows = []
    for camera, (count, by_camera) in errors.items():
        wrong = sum(by_camera.values())
        share = f"{wrong} ({100 * wrong / count:.1f} %)"
        cells = [by_camera.get(source, 0) for source in sources]
        rows.append([names.camera(camera), count, share, *cells])
    return table(header, rows)


def _card(ranked: Nearest, number: int, store: ImageStore, names: Names) -> str:
    matches = zip(ranked.rows[number], ranked.scores[number], ranked.right[number], strict=True)
    figures = "".join(
        match_figure(
            picture(store.images[row], str(store.path[row])),
            rank,
            [f"{score:.3f}", *_labels(int(row), store, names), str(store.path[row])],
            camera=names.camera(int(store.camera[row])),
            right=bool(right),
        )
        for rank, (row, score, right) in enumerate(matches, 1)
        if row >= 0  # a list that is shorter is filled up with -1
    )
    query = int(ranked.queries[number])
    path, modality = str(store.path[query]), MODALITIES[store.modality[query]]
    caption = [modality, *_labels(query, store, names), path]
    precision = f"AP {100 * ranked.average_precision[number]:.1f} %"
    return query_card(precision, picture(store.images[query], path), caption, figures)


def _labels(row: int, store: ImageStore, names: Names) -> list[str]:
    identity, camera = int(store.identity[row]), int(store.camera[row])
    return labels(names.identity(identity), names.camera(camera))
