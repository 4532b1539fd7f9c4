"""Who a synthetic person is: everything that an identity keeps from picture to picture.

Body, outfit and habit show in every spectrum; materials differ between spectra.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from dmcf_jax.data.synthetic.materials import Materials, draw_materials
from dmcf_jax.data.synthetic.outfit import Outfit, draw_outfit
from dmcf_jax.data.synthetic.parts import Stream, numbered_generator


class Body(NamedTuple):
    """Proportions as fractions of the body's height.

    Attributes:
        head: height of the head.
        shoulders: half the width of the shoulders; `waist` and `hips` likewise.
        legs: height of the crotch above the soles.
        limbs: half the width of an upper arm.
        depth: how deep the trunk is in units of its width.
    """

    head: float
    shoulders: float
    waist: float
    hips: float
    legs: float
    limbs: float
    depth: float


class Habit(NamedTuple):
    """How somebody moves: stride and swing of the arms, stoop, stance, which arm is bent."""

    stride: float
    swing: float
    stoop: float
    stance: float
    bent_arm: int


@dataclasses.dataclass(frozen=True)
class Person:
    """One identity of the world number `seed`."""

    seed: int
    identity: int
    sex: str
    body: Body
    outfit: Outfit
    habit: Habit
    materials: Materials


def make_person(seed: int, identity: int) -> Person:
    """Return a person, always the same for the same numbers.

    Args:
        seed: number of the world, 0 or more.
        identity: number of the person in it, 0 or more.
    """
    draw = numbered_generator(Stream.PERSON, seed, identity)
    sex = _draw_sex(draw)
    body, outfit, habit = _draw_body(draw, sex), draw_outfit(draw, sex), _draw_habit(draw)
    materials = draw_materials(
        numbered_generator(Stream.MATERIALS, seed, identity), outfit.upper.kind
    )
    return Person(seed, identity, sex, body, outfit, habit, materials)


def sex_of(seed: int, identity: int) -> str:
    """Return 'male' or 'female', as `make_person` does, in a fiftieth of its time."""
    return _draw_sex(numbered_generator(Stream.PERSON, seed, identity))


def _draw_sex(draw: np.random.Generator) -> str:
    return "male" if draw.random() < 0.45 else "female"


def _draw_body(draw: np.random.Generator, sex: str) -> Body:
    shift = 0.006 if sex == "male" else -0.006
    build = float(np.exp(draw.normal(0, 0.11)))
    return Body(
        head=draw.uniform(0.125, 0.15),
        shoulders=(0.116 + shift + draw.normal(0, 0.004)) * build,
        waist=(0.088 + shift + draw.normal(0, 0.004)) * build,
        hips=(0.098 - shift + draw.normal(0, 0.004)) * build,
        legs=draw.uniform(0.43, 0.51),
        limbs=(0.030 + draw.normal(0, 0.002)) * build,
        depth=draw.uniform(0.55, 0.75),
    )


def _draw_habit(draw: np.random.Generator) -> Habit:
    return Habit(
        stride=draw.uniform(0.75, 1.2),
        swing=draw.uniform(0.6, 1.3),
        stoop=max(0.0, draw.normal(0.03, 0.03)),
        stance=draw.uniform(0.35, 0.75),
        bent_arm=int(draw.integers(3)) - 1,
    )
