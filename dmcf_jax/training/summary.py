"""The end of a run: its alarms, and rank-1 on trained beside held-out people."""

from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from dmcf_jax.config.build import Built
from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.errors import UserError
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.modality import MODALITIES
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runs.run import Run
from dmcf_jax.runs.summary import AVERAGED, LAST, summary_lines, write_summary
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.random_keys import named_key
from dmcf_jax.training.health import Health
from dmcf_jax.training.validation import Score

IMAGES_EACH = 4  # of a person and modality, so that the sample is embedded in seconds
TRAINED = "trained people"


def make_health(run: Run, built: Built) -> Health:
    """Return the alarms of a run up to the step that it resumes from."""
    path = run.workdir / "metrics.jsonl"
    lines = read_metrics(path) if path.exists() else []
    before = [line for line in lines if line["step"] <= run.start]
    return Health(built.watched, built.model.identities, run.config.train.steps, before)


def summarise(
    run: Run, state: TrainState, health: Health, groups: dict[str, ImageStore], score: Score
) -> None:
    """Write summary.json of a finished run and log its lines.

    Args:
        groups: images of 'trained people' and, where there are any, of others, on whom thresholds
            are measured.
    """
    samples = sample_people(run.config, groups)
    ranks = {
        name: {"value": _rank_1(state, store, score), "people": len(np.unique(store.identity))}
        for name, store in samples.items()
    }
    summary = {
        "step": int(state.step),
        "weights": AVERAGED if state.average else LAST,
        "alarms": [alarm._asdict() for alarm in health.alarms],
        "rank-1": ranks,
        "thresholds": _thresholds(state, groups, score),
    }
    if hosts.is_first():
        write_summary(run.workdir, summary)
    for line in summary_lines(summary):
        log(line)


def _thresholds(
    state: TrainState, groups: dict[str, ImageStore], score: Score
) -> dict[str, Any] | None:
    """Return the thresholds on people that were not trained on; None where there are none."""
    others = [(name, store) for name, store in groups.items() if name != TRAINED]
    if not others:
        return None
    (name, store), *_ = others
    group = {"group": name, "people": len(np.unique(store.identity))}
    try:
        return group | score.thresholds(state, store)
    except UserError as error:  # collapsed embeddings, as in _rank_1
        log(str(error))
        return group | {"pairs": {}}


def _rank_1(state: TrainState, store: ImageStore, score: Score) -> float | None:
    try:
        return score(state, store)["rank-1"]
    except UserError as error:  # collapsed embeddings may be zeros, which have no cosine
        log(str(error))
        return None


def sample_people(config: ConfigDict, groups: dict[str, ImageStore]) -> dict[str, ImageStore]:
    """Return equally many people of each group, so that their rank-1 can be compared.

    Who they are depends on the config's seed alone. Groups of fewer than two people in both
    modalities are left out; {} where `train.summary_people` is 0.
    """
    people = {name: store.people_in_both() for name, store in groups.items()}
    people = {name: found for name, found in people.items() if len(found) > 1}
    count = min([config.train.summary_people, *map(len, people.values())])
    if count < 2:
        return {}
    key = named_key(config.seed, "summary")
    return {
        name: _few_images(groups[name], np.asarray(jax.random.permutation(key, found))[:count])
        for name, found in people.items()
    }


def _few_images(store: ImageStore, people: np.ndarray) -> ImageStore:
    """Return the first images of each of `people` in each modality."""
    keep = np.zeros(len(store), bool)
    for person in people:
        for number in range(len(MODALITIES)):
            rows = np.flatnonzero((store.identity == person) & (store.modality == number))
            keep[rows[:IMAGES_EACH]] = True
    return store.select(keep)
