"""The loop around the compiled step: dispatch, log, check, save, and stop in order."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from dmcf_jax.errors import UserError
from dmcf_jax.methods.dmcf.train_step import TrainState
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.folder import Held
from dmcf_jax.runs.metrics_log import open_metrics
from dmcf_jax.runs.skipped_steps import SkippedSteps
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.signals import Interruption
from dmcf_jax.training.display import TrainingDisplay


class NonFiniteLoss(UserError):
    """The loss became NaN or infinite; the message names step, parts and last checkpoint."""


class Loop:
    """The loop around the compiled step: dispatch, log, check, save."""

    def __init__(
        self,
        config: ConfigDict,
        workdir: Path,
        checkpoints: Checkpoints,
        compiled: Callable,
        keys: tuple,
        judge: Callable[[TrainState], dict[str, float]],
        held: Held,
        interruption: Interruption,
    ):
        """Keep what every step needs."""
        self._train, self._workdir, self._judge = config.train, workdir, judge
        self._images_per_step = 2 * config.sampler.P * config.sampler.K
        self._checkpoints, self._compiled, self._keys = checkpoints, compiled, keys
        self._held, self._interruption = held, interruption
        self._unchecked: deque = deque()

    def run(self, state, source, sources) -> TrainState:
        """Train from `state` to the last step, or to an interruption, and return the state.

        Raises:
            UserError: a loss that is not finite, batches that do not come, a failed checkpoint.
            OSError: no room for a log, or its disk is gone.
        """
        start = int(state.step)
        with hosts.first_alone():
            self._writer = open_metrics(self._workdir, start)
            self._scores = self._score_writer(start)
            self._skipped = SkippedSteps(self._workdir, start, self._train.skip_non_finite)
        self._display = TrainingDisplay(start, self._train.steps)
        self._clock, self._waited, self._counted = time.perf_counter(), 0.0, 0
        self._interruption.hold()
        try:
            state = self._take_steps(start, state, source, sources)
            self._finish(state)
        finally:
            self._close()
        if self._interruption.reason:
            log(
                f"{self._interruption.reason}: saved step {int(state.step)}; the same command "
                "continues from there."
            )
        return state

    def _take_steps(self, step, state, source, sources):
        while step < self._train.steps and not self._interruption.ends(step):
            state, metrics = self._compiled(state, source, self._keys)
            step += 1
            self._unchecked.append((step, metrics))
            self._after_step(step, state)
            source = self._wait_for(sources, state)
        return state

    def _close(self):
        self._display.close()
        self._writer.close()
        if self._scores:
            self._scores.close()

    def _score_writer(self, start):
        if not self._train.eval_every:
            return None
        return open_metrics(self._workdir, start, "evaluations")

    def _wait_for(self, sources, state):
        """Return the next step's source; save before giving up on one that does not come."""
        began = time.perf_counter()
        try:
            source = next(sources)
        except TimeoutError as error:
            if hosts.joined():  # saving takes all processes, and the others do not wait like this
                raise UserError(
                    f"{error}. The same command continues from the last checkpoint."
                ) from None
            log(f"{error}; saving step {int(state.step)} ...")
            self._finish(state)
            raise UserError(
                f"{error}. Step {int(state.step)} is saved; once the images can be read again, the "
                "same command continues from there."
            ) from None
        self._waited += time.perf_counter() - began
        return source

    def _after_step(self, step, state):
        self._display.advance(step)
        self._counted += 1
        if step % self._train.log_every == 0 or step == self._train.steps:
            self._log(step)
        if self._train.eval_every and step % self._train.eval_every == 0:
            self._evaluate(step, state)
        elif step % self._train.checkpoint_every == 0:
            self._save(state)

    def _finish(self, state):
        self._save(state)
        self._checkpoints.wait()

    def _save(self, state, metrics=None):
        self._check()
        self._held.check()
        self._checkpoints.save(state, metrics)

    def _evaluate(self, step, state):
        """Judge the state, write the scores down and keep a checkpoint that knows them."""
        metrics = self._judge(state)
        self._scores.write(step, metrics)
        log(f"step {step}: " + ", ".join(f"{k} {100 * v:.2f}%" for k, v in metrics.items()))
        self._save(state, metrics)

    def _log(self, step):
        """Write the scalars of the step that just ended, with speed since the last line."""
        scalars = self._check()
        self._held.check()
        now = time.perf_counter()
        seconds = now - self._clock
        scalars["images_per_second"] = self._counted * self._images_per_step / seconds
        scalars["data_wait"] = self._waited / seconds
        left = (self._train.steps - step) * seconds / self._counted
        self._clock, self._waited, self._counted = now, 0.0, 0
        self._writer.write(step, scalars)
        self._display.show(step, scalars, left)

    def _check(self) -> dict[str, float]:
        """Fetch the metrics of all steps since the last check; return those of the newest.

        Raises:
            NonFiniteLoss: for the first step whose loss or gradient is not finite and which may
                not be left out.
        """
        newest: dict[str, float] = {}
        while self._unchecked:
            step, metrics = self._unchecked.popleft()
            newest = {name: float(value) for name, value in jax.device_get(metrics).items()}
            bad = [f"{name} = {value}" for name, value in newest.items() if not np.isfinite(value)]
            if bad and not self._skipped.accept(step, newest, bad):
                raise self._non_finite(step, bad)
        return newest

    def _non_finite(self, step, bad):
        self._checkpoints.wait()
        count = self._skipped.count
        left_out = f"; {count} steps were left out before" if count else ""
        return NonFiniteLoss(
            f"step {step}: {', '.join(bad)}{left_out}; {self._last_saved()} in {self._workdir}. "
            "Try lower rates (--config.optim.lr_heads, --config.optim.lr_backbone) in a new "
            "--workdir; or, if such steps are rare, the same command with "
            f"--config.train.skip_non_finite={self._train.skip_non_finite + 10}, which leaves up "
            "to that many of them out."
        )

    def _last_saved(self):
        saved = self._checkpoints.steps()
        return f"the last good checkpoint is step {saved[-1]}" if saved else "nothing was saved yet"
