"""Alarms of a run: features that collapsed, or whose classifier is no better than guessing.

They depend on the lines of metrics.jsonl alone, so that a resumed run has those of one that was
never stopped.
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from dmcf_jax.methods.method import Watched
from dmcf_jax.runs.summary import KINDS

# A feature has collapsed where the root mean square distance of its rows from their mean falls
# below this share of their mean length ...
LEAST_SPREAD = 0.05
# ... or the distances between people below this share of the margin (of 1 where there is none):
# the triplet loss then stays at the margin.
LEAST_DISTANCE = 0.05
# A classifier guesses where its loss is at least this share of ln k, which equal logits have.
GUESSING = 0.97
FIRST_STEPS, FIRST_SHARE = 100, 0.1  # steps, or share of the run, in which it may guess
WINDOW_STEPS, WINDOW_SHARE = 50, 0.05  # steps, or share of the run, that values are averaged over

CURE = (
    "Try weights to start from (--config.model.pretrained), --config.model.neck=batch_norm, a "
    "later --config.loss.triplet_start_step, a lower --config.optim.lr_heads, "
    "--config.optim.warmup_steps, or another --config.loss.kind"
)


class Alarm(NamedTuple):
    """What is wrong with a feature: `kind`, of `KINDS`, since the step `since`."""

    feature: str
    kind: str
    since: int


class Health:
    """The alarms of a run, line by line of its log.

    Attributes:
        alarms: those that hold at the last line, in the order of the features.
    """

    def __init__(self, watched: Watched, classes: int, steps: int, lines: Iterable[dict] = ()):
        """Start a run, or resume it.

        Args:
            classes: number k of identities that are classified.
            steps: of the run.
            lines: logged before a resume.
        """
        self._watched, self._classes, self._steps = watched, classes, steps
        self._lines: deque[dict] = deque()
        self._reported: set[tuple[str, str]] = set()
        self.alarms: list[Alarm] = []
        for line in lines:
            self.observe(line)

    def observe(self, line: dict) -> list[str]:
        """Take the next line of the log and return a message for each kind of new alarm.

        A feature is named once for each kind in a run, however often it falls and recovers.
        """
        self._lines.append(line)
        window = max(WINDOW_STEPS, WINDOW_SHARE * self._steps)
        while self._lines[0]["step"] <= line["step"] - window:
            self._lines.popleft()
        since: dict[tuple[str, str], int] = {(a.feature, a.kind): a.since for a in self.alarms}
        now = [*self._collapsed(line["step"]), *self._guessing(line["step"])]
        step: int = line["step"]
        self.alarms = [Alarm(name, kind, since.get((name, kind), step)) for name, kind in now]
        new = [each for each in now if each not in self._reported]
        self._reported.update(new)
        return [
            self._message(line["step"], kind, names)
            for kind in KINDS
            if (names := [feature for feature, found in new if found == kind])
        ]

    def _collapsed(self, step: int) -> list[tuple[str, str]]:
        features = [term.feature for term in self._watched.terms if term.kind == "triplet"]
        if step < WINDOW_STEPS:
            return []
        return [(name, "collapsed") for name in features if self._has_collapsed(step, name)]

    def _has_collapsed(self, step: int, feature: str) -> bool:
        if self._mean(f"spread_{feature}") < LEAST_SPREAD:
            return True
        mined = step >= self._watched.triplets_from + WINDOW_STEPS
        least = LEAST_DISTANCE * self._watched.scale
        return mined and self._mean(f"distance_other_{feature}") < least

    def _guessing(self, step: int) -> list[tuple[str, str]]:
        if step < self._watched.softmax_from + max(FIRST_STEPS, FIRST_SHARE * self._steps):
            return []
        least = GUESSING * math.log(self._classes)
        losses = [term for term in self._watched.terms if term.kind == "softmax"]
        return [(term.feature, "guessing") for term in losses if self._mean(term.name) >= least]

    def _mean(self, name: str) -> float:
        """Return a value's mean over the window; NaN, which raises no alarm, where it is missing.

        A value that was not finite is null in the log.
        """
        values = [line.get(name) for line in self._lines]
        numbers = [value for value in values if value is not None and math.isfinite(value)]
        return sum(numbers) / len(numbers) if numbers else math.nan

    def _message(self, step: int, kind: str, names: list[str]) -> str:
        what = {
            "collapsed": "all embeddings are nearly one point",
            "guessing": f"softmax loss at ln {self._classes} = {math.log(self._classes):.2f}",
        }[kind]
        return f"ALARM at step {step}: {', '.join(names)} {KINDS[kind]} ({what}). {CURE}."
