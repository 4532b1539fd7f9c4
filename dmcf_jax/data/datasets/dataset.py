"""What the library knows of one data set, in one record."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Counts(NamedTuple):
    """Published size of a split: identities, visible images, infrared images."""

    identities: int
    visible: int
    infrared: int


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One data set: its layout on disk, its splits and how it is evaluated.

    Attributes:
        name: what `--dataset` and `config.data.name` call it; also the folder of its records.
        title: its name in sentences, such as 'RegDB'.
        description: stored with its records.
        landmarks: folders that its root must hold, by which it is recognised; the last one holds
            the lists of splits.
        splits: all splits.
        train_splits: those that `config.data.train_splits` may name.
        protocols: evaluated when no protocol is named.
        inspect: reads a tree that holds all landmarks. Without trials `root -> Listing`; with
            trials `(root, trials) -> {trial: Listing}`. None where the user's own list takes its
            place, see `own`.
        trials: how many divisions into training and test identities there are, of which a run
            chooses one by its number from 1; None where there is only one division.
        published: size of each split in the publication, of every trial; None where nothing is
            published, so that any size is accepted.
    """

    name: str
    title: str
    description: str
    landmarks: tuple[str, ...]
    splits: tuple[str, ...]
    train_splits: tuple[str, ...]
    protocols: tuple[str, ...]
    inspect: Callable[..., Any] | None = None
    trials: int | None = None
    published: Mapping[str, Counts] | None = None

    @property
    def trial_numbers(self) -> tuple[int | None, ...]:
        """Every trial, from 1; (None,) where there are none."""
        return tuple(range(1, self.trials + 1)) if self.trials else (None,)

    def trial(self, number: int) -> int | None:
        """Return `number`, a config's `data.trial`, or None where there are no trials."""
        return number if self.trials else None
