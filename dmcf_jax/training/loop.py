"""The loop around the compiled step: dispatch, log, check, save, and stop in order."""

import time
from collections import deque
from collections.abc import Callable, Iterator

import jax
import numpy as np

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.methods.train_state import TrainState
from dmcf_jax.runs.run import Run
from dmcf_jax.runs.skipped_steps import SkippedSteps
from dmcf_jax.runtime import hosts
from dmcf_jax.runtime.console import log
from dmcf_jax.training.display import TrainingDisplay


class NonFiniteLoss(UserError):
    """The loss became NaN or infinite; the message names step, parts and last checkpoint."""


class Loop:
    """The loop around the compiled step: dispatch, log, check, save."""

    def __init__(
        self,
        run: Run,
        compiled: Callable,
        keys: tuple,
        validate: Callable[[TrainState], dict[str, float]],
        watch: Callable[[dict], list[str]] = lambda line: [],
        fit: Callable[[TrainState], TrainState] = lambda state: state,
        on_step: Callable[[int, TrainState], None] | None = None,
    ):
        """Open the logs of a run that stopped before the step `run.start`.

        Args:
            compiled: (state, batch, keys) -> (state, metrics).
            validate: state -> scores, called every `train.eval_every` steps.
            watch: called with each line of metrics.jsonl; what it returns is logged.
            fit: changes the state after the last step, before it is validated and saved.
            on_step: called after each step with its number and state, once it is logged and,
                where due, saved; for callers that want to watch or act.
        """
        self._run, self._train = run, run.config.train
        self._compiled, self._keys, self._validate = compiled, keys, validate
        self._watch, self._fit, self._on_step = watch, fit, on_step
        self._images_per_step = 2 * run.config.sampler.P * run.config.sampler.K
        self._unchecked: deque = deque()  # (step, metrics) whose values were not looked at yet
        with hosts.first_alone():
            self._writer = run.open_log("metrics")
            self._scores = run.open_log("evaluations") if self._train.eval_every else None
            self._skipped = SkippedSteps(run.workdir, run.start, self._train.skip_non_finite)
        self._display = TrainingDisplay(run.start, self._train.steps)
        # Since the last logged line: when it was, seconds waited for batches, steps taken.
        self._clock, self._waited, self._counted = time.perf_counter(), 0.0, 0

    def run(self, state: TrainState, batch: tuple, batches: Iterator[tuple]) -> TrainState:
        """Train from `state` to the last step, or to an interruption, and return the state.

        Args:
            batch: the feed's input of the next step.
            batches: the inputs of the steps after it.

        Raises:
            UserError: a loss that is not finite, batches that do not come, a failed checkpoint.
            OSError: no room for a log, or its disk is gone.
        """
        interruption = self._run.interruption
        interruption.hold()
        try:
            state = self._take_steps(int(state.step), state, batch, batches)
            self._finish(state)
        finally:
            self._close()
        if interruption.reason:
            log(
                f"{interruption.reason}: saved step {int(state.step)}; run the same command to "
                "resume."
            )
        return state

    def _take_steps(self, step, state, batch, batches):
        while step < self._train.steps and not self._run.interruption.ends(step):
            state, metrics = self._compiled(state, batch, self._keys)
            step += 1
            self._unchecked.append((step, metrics))
            if step == self._train.steps:
                state = self._fit(state)
            self._after_step(step, state)
            batch = self._wait_for(batches, state)
        return state

    def _close(self):
        self._display.close()
        self._writer.close()
        if self._scores:
            self._scores.close()

    def _wait_for(self, batches, state):
        """Return the next step's input; save before giving up on one that does not come."""
        began = time.perf_counter()
        try:
            batch = next(batches)
        except TimeoutError as error:
            if hosts.joined():  # saving takes all processes, and the others do not wait like this
                raise UserError(
                    f"{error}. Run the same command to resume from the latest checkpoint.",
                    about="batches",
                ) from None
            log(f"{error}; saving step {int(state.step)} ...")
            self._finish(state)
            raise UserError(
                f"{error}. Step {int(state.step)} is saved; once the images can be read again, "
                "run the same command to resume from it.",
                about="batches",
            ) from None
        self._waited += time.perf_counter() - began
        return batch

    def _after_step(self, step, state):
        self._display.advance(step)
        self._counted += 1
        if step % self._train.log_every == 0 or step == self._train.steps:
            self._log(step)
        if self._train.eval_every and step % self._train.eval_every == 0:
            self._evaluate(step, state)
        elif step % self._train.checkpoint_every == 0:
            self._save(state)
        if self._on_step:
            self._on_step(step, state)

    def _finish(self, state):
        self._save(state)
        self._run.checkpoints.wait()

    def _save(self, state, scores=None):
        self._check()
        self._run.check_folder()
        self._run.checkpoints.save(state, scores)

    def _evaluate(self, step, state):
        """Validate the state, log the scores and keep a checkpoint that knows them."""
        scores = self._validate(state)
        assert self._scores is not None  # opened wherever train.eval_every is above 0
        self._scores.write(step, scores)
        log(f"step {step}: " + ", ".join(f"{k} {100 * v:.2f}%" for k, v in scores.items()))
        self._save(state, scores)

    def _log(self, step):
        """Write the scalars of the step that just ended, with speed since the last line."""
        scalars = self._check()
        self._run.check_folder()
        now = time.perf_counter()
        seconds = now - self._clock
        scalars["images_per_second"] = self._counted * self._images_per_step / seconds
        scalars["data_wait"] = self._waited / seconds
        left = (self._train.steps - step) * seconds / self._counted
        self._clock, self._waited, self._counted = now, 0.0, 0
        self._writer.write(step, scalars)
        self._display.show(step, scalars, left)
        for message in self._watch({"step": step, **scalars}):
            log(message)

    def _check(self) -> dict[str, float]:
        """Fetch the metrics of all steps since the last check; return those of the newest.

        Raises:
            NonFiniteLoss: for the first step whose loss or gradient is not finite and which may
                not be skipped.
        """
        newest: dict[str, float] = {}
        while self._unchecked:
            step, metrics = self._unchecked.popleft()
            newest = {name: float(value) for name, value in jax.device_get(metrics).items()}
            bad = [name for name, value in newest.items() if not np.isfinite(value)]
            shown = [f"{name} = {newest[name]}" for name in bad]
            if bad and not self._skipped.accept(step, newest, shown):
                raise self._non_finite(step, bad, shown)
        return newest

    def _non_finite(self, step, bad, shown):
        self._run.checkpoints.wait()
        count = self._skipped.count
        skipped = f"; {count} steps were skipped before" if count else ""
        message = (
            f"step {step}: {', '.join(shown)}{skipped}; {self._last_saved()} in "
            f"{self._run.workdir}. Try lower rates (--config.optim.lr_heads, "
            "--config.optim.lr_backbone) in a new --workdir; or, if such steps are rare, the same "
            f"command with --config.train.skip_non_finite={self._train.skip_non_finite + 10}, "
            "which skips up to that many of them."
        )
        return NonFiniteLoss(message, [Problem(name, message) for name in bad])

    def _last_saved(self):
        saved = self._run.checkpoints.steps()
        return f"the last good checkpoint is step {saved[-1]}" if saved else "nothing was saved yet"
