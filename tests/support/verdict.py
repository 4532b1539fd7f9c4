"""What a random case may end in: success, or one message for the user. All else is a failure."""

import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

from dmcf_jax.errors import UserError

SECONDS = 60  # a case that takes longer hangs


class Hang(Exception):
    """A case took too long."""


def refusal(action: Callable[[], object]) -> str | None:
    """Run `action`; return the message of a refusal, None for success.

    Whatever else it raises comes through, and fails the case.
    """
    try:
        with _time_limit():
            action()
    except UserError as error:
        message = str(error)
        assert message.strip() and "Traceback" not in message, message
        assert len(message) < 8000, f"a message of {len(message)} characters"
        return message
    return None


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_):
        raise Hang(f"no end after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def try_cases(
    strategy: SearchStrategy, check: Callable, cases: int, number: int | None = None
) -> Counter:
    """Run `check(case)` for random cases and return how many ended in success and in refusal.

    Args:
        strategy: draws a case.
        check: returns the message of a refusal or None; raises for a failure.
        cases: how many.
        number: seed; None draws the same cases each time, for the test suite.
    """
    ends: Counter = Counter()

    def one(case):
        ends["refused" if check(case) else "succeeded"] += 1

    test = settings(
        max_examples=cases,
        derandomize=number is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(one))
    (test if number is None else seed(number)(test))()
    return ends
