"""The page of an evaluation: metrics, curves, best and worst queries, errors by camera."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.evaluation.nearest import Nearest
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.html.chart import cmc_chart
from dmcf_jax.reports.html.page import (
    camera_filter,
    document,
    labels,
    match_figure,
    picture,
    query_card,
    table,
    text,
)

RANKS = (1, 5, 10, 20)
EACH = 5


@dataclasses.dataclass(frozen=True)
class Names:
    """What the numbers of a split stand for; a number without a name is shown itself."""

    identities: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cameras: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def identity(self, number: int) -> str:
        return self.identities.get(str(number), str(number))

    def camera(self, number: int) -> str:
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
        results: as `result_as_dict` gives them.
        lists: the ranked lists of each result's first trial.
        store: the split's images; rows of `lists` are its rows.
        source: where the model is from.
    """
    cameras = [names.camera(number) for number in np.unique(store.camera).tolist()]
    parts = [
        _protocol(result, ranked, store, names)
        for result, ranked in zip(results, lists, strict=True)
    ]
    body = _facts(results[0], source) + _metrics(results) + cmc_chart(results)
    return document("Evaluation", body + camera_filter(cameras) + "".join(parts))


def _facts(result: Mapping, source: str) -> str:
    checkpoint = result["checkpoint"]
    lines = [f"Model {source}, step {checkpoint['step']} (chosen by: {checkpoint['chosen_by']})"]
    data = result.get("data")
    if data:
        test = data["counts"]["test"]
        lines.append(
            f"Test split of {data['dataset']}: {test['identities']} identities, {test['visible']} "
            f"visible and {test['infrared']} infrared images"
        )
    return "".join(f'<p class="soft">{text(line)}</p>' for line in lines)


def _metrics(results: Sequence[Mapping]) -> str:
    header = ["protocol", "queries", *(f"rank-{k}" for k in RANKS), "mAP", "mINP"]
    rows = []
    for result in results:
        mean, trial = result["mean"], result["trials"][0]
        curve = [mean["cmc"][str(min(k, len(mean["cmc"])))] for k in RANKS]
        values = [f"{100 * value:.2f} %" for value in (*curve, mean["mAP"], mean["mINP"])]
        name = ", ".join([result["protocol"], *result["options"]])
        rows.append([name, trial["valid_queries"], *values])
    return table(header, rows)


def _protocol(result: Mapping, ranked: Nearest, store: ImageStore, names: Names) -> str:
    best, worst = best_and_worst(ranked, store.identity)
    note = " of the first trial" if len(result["trials"]) > 1 else ""
    sections = [
        f"<h2>{text(result['protocol'])}</h2>",
        f'<p class="soft">Ranked lists{note} by cosine: ✓ is the query\'s person, ✗ somebody else. '
        "AP is the average precision.</p>",
        _errors_by_camera(ranked, store, names),
    ]
    for title, chosen in (("Best queries", best), ("Worst queries", worst)):
        sections.append(f"<h2>{title}</h2>" if len(chosen) else "")
        sections += [_card(ranked, number, store, names) for number in chosen]
    return "".join(sections)


def best_and_worst(ranked: Nearest, identity: np.ndarray) -> tuple[list[int], list[int]]:
    """Return up to five best and five worst queries, by average precision, of different people."""
    order = np.argsort(-ranked.average_precision, kind="stable")
    people = identity[ranked.queries]
    best = _one_each(order, people)[:EACH]
    left = order[~np.isin(people[order], people[best])]
    return best.tolist(), _one_each(left[::-1], people)[:EACH].tolist()


def _one_each(order: np.ndarray, people: np.ndarray) -> np.ndarray:
    _, first = np.unique(people[order], return_index=True)
    return order[np.sort(first)]


def errors_by_camera(ranked: Nearest, camera: np.ndarray) -> dict[int, tuple[int, dict[int, int]]]:
    """Return for each query camera its number of queries and, by gallery camera, first errors.

    A first error is a query whose best match shows somebody else.
    """
    asked = camera[ranked.queries]
    wrong = ~ranked.right[:, 0]
    found = {}
    for number in np.unique(asked).tolist():
        here = asked == number
        sources, counts = np.unique(camera[ranked.rows[here & wrong, 0]], return_counts=True)
        found[number] = int(here.sum()), dict(zip(sources.tolist(), counts.tolist(), strict=True))
    return found


def _errors_by_camera(ranked: Nearest, store: ImageStore, names: Names) -> str:
    errors = errors_by_camera(ranked, store.camera)
    sources = sorted({camera for _, by_camera in errors.values() for camera in by_camera})
    header = ["query camera", "queries", "wrong at rank 1"]
    header += [f"of them from {names.camera(camera)}" for camera in sources]
    rows = []
    for camera, (count, by_camera) in errors.items():
        wrong = sum(by_camera.values())
        share = f"{wrong} ({100 * wrong / count:.1f} %)"
        cells = [by_camera.get(source, 0) for source in sources]
        rows.append([names.camera(camera), count, share, *cells])
    return table(header, rows)


def _card(ranked: Nearest, number: int, store: ImageStore, names: Names) -> str:
    row = int(ranked.queries[number])
    matches = "".join(
        match_figure(
            picture(store.images[found], str(store.path[found])),
            rank,
            [f"{score:.3f}", *_known(int(found), store, names), str(store.path[found])],
            camera=names.camera(int(store.camera[found])),
            right=bool(right),
        )
        for rank, (found, score, right) in enumerate(
            zip(ranked.rows[number], ranked.scores[number], ranked.right[number], strict=True), 1
        )
        if found >= 0
    )
    asked = picture(store.images[row], str(store.path[row]))
    caption = [MODALITIES[store.modality[row]], *_known(row, store, names), str(store.path[row])]
    title = f"AP {100 * ranked.average_precision[number]:.1f} %"
    return query_card(title, asked, caption, matches)


def _known(row: int, store: ImageStore, names: Names) -> list[str]:
    identity, camera = int(store.identity[row]), int(store.camera[row])
    return labels(names.identity(identity), names.camera(camera))
