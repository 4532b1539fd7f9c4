"""A thread makes batches ahead, and never outlives the iterator that it makes them for."""

import itertools
import threading
import time

import pytest

from dmcf_jax.data import feed


def is_alive():
    return any(thread.name == "prefetch" for thread in threading.enumerate())


def slowly(items):
    for item in items:
        time.sleep(0.05)
        yield item


def test_items_come_in_order_and_at_most_two_are_made_ahead():
    made = []
    items = feed.prefetch((made.append(n) or n for n in itertools.count()), 2)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    time.sleep(0.1)
    assert len(made) <= 5 + 2 + 1  # one more waits in the thread's hand
    items.close()


@pytest.mark.parametrize("taken", [1, 2, 3])
def test_the_thread_has_ended_once_its_items_are_closed(taken):
    """A daemon thread inside JAX aborts a Python that ends: exit status 134 after a good run."""
    items = feed.prefetch(slowly(itertools.count()), 2)
    for _ in range(taken):
        next(items)
    assert is_alive()
    items.close()
    assert not is_alive()


def test_an_error_in_the_thread_is_raised_where_its_item_was_due():
    items = feed.prefetch(map((6).__truediv__, [3, 2, 0, 1]), 2)
    assert [next(items), next(items)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(items)
    assert not is_alive()


def test_items_that_do_not_come_are_named(monkeypatch):
    monkeypatch.setattr(feed, "STUCK_SECONDS", 0.05)
    stuck = threading.Event()
    with pytest.raises(TimeoutError, match="no batch came for 0.05 s"):
        next(feed.prefetch(iter(lambda: stuck.wait(0.5), None), 2))
