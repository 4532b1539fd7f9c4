"""Who a made-up person is: everything that an identity keeps from picture to picture.

Body, outfit and habit show in every spectrum; materials differ between spectra.
"""

import dataclasses

import numpy as np

from dmcf_jax.data.synthetic.materials import Materials, draw_materials
from dmcf_jax.data.synthetic.parts import Stream, numbered_generator

ARMS = ("swing", "pocket", "phone")
ARM_ODDS = (0.68, 0.2, 0.12)


@dataclasses.dataclass(frozen=True)
class Body:
    """Proportions as fractions of the body's height; widths are half widths."""

    head: float
    shoulders: float
    waist: float
    hips: float
    legs: float
    limbs: float


@dataclasses.dataclass(frozen=True)
class Outfit:
    """Garments and their lengths.

    `hem` runs from 0 (waist) over 1 (crotch) to 2 (knee), `inner_hem` is how much further the
    inner garment hangs; `sleeve`, `lower_length` and `boots` are fractions of arm and leg;
    `bag_side` and `parting` are -1 or 1, in the person's own frame; `pattern_period` is a
    fraction of the body's height.
    """

    upper: str
    hem: float
    inner_hem: float
    sleeve: float
    is_open: bool
    has_seam: bool
    lower: str
    lower_length: float
    flare: float
    boots: float
    bag: str
    bag_side: int
    bag_size: float
    hat: str
    hair: str
    parting: int
    has_scarf: bool
    has_glasses: bool
    pattern: str
    pattern_period: float


@dataclasses.dataclass(frozen=True)
class Habit:
    """Posture: what each arm does, how far arms and feet stand apart, lean and stride."""

    arms: tuple[str, str]
    splay: float
    stance: float
    lean: float
    stride: float


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
    """Return the person number `identity` (>= 0) of the world `seed` (>= 0), always the same."""
    draw = numbered_generator(Stream.PERSON, seed, identity)
    sex = str(draw.choice(["male", "female"], p=[0.4, 0.6]))
    body, outfit, habit = _draw_body(draw, sex), _draw_outfit(draw, sex), _draw_habit(draw)
    materials = draw_materials(numbered_generator(Stream.MATERIALS, seed, identity), outfit.upper)
    return Person(seed, identity, sex, body, outfit, habit, materials)


def _draw_body(draw: np.random.Generator, sex: str) -> Body:
    shift = 0.008 if sex == "male" else -0.008
    build = draw.uniform(0.74, 1.30)
    return Body(
        head=draw.uniform(0.115, 0.158),
        shoulders=(draw.uniform(0.105, 0.135) + shift) * build,
        waist=(draw.uniform(0.078, 0.100) + shift) * build,
        hips=(draw.uniform(0.085, 0.110) - shift) * build,
        legs=draw.uniform(0.40, 0.55),
        limbs=draw.uniform(0.026, 0.036) * build,
    )


def _draw_outfit(draw: np.random.Generator, sex: str) -> Outfit:
    skirt, wear = (0.35, [0.3, 0.4, 0.3]) if sex == "female" else (0.0, [0.25, 0.45, 0.3])
    upper = str(draw.choice(["coat", "jacket", "t-shirt"], p=wear))
    lower = str(draw.choice(["trousers", "shorts", "skirt"], p=[0.75 - skirt, 0.25, skirt]))
    hem_range = {"coat": (1.1, 2.1), "jacket": (0.15, 0.95), "t-shirt": (0.3, 1.0)}[upper]
    length_range = {"trousers": (0.85, 1.0), "shorts": (0.22, 0.55), "skirt": (0.3, 0.85)}[lower]
    hair = ["short", "bob", "long", "tail", "bun"]
    hair_odds = [0.85, 0.05, 0.04, 0.03, 0.03] if sex == "male" else [0.15, 0.2, 0.3, 0.2, 0.15]
    return Outfit(
        upper=upper,
        hem=draw.uniform(*hem_range),
        inner_hem=float(draw.choice([0.0, draw.uniform(0.2, 0.5)], p=[0.6, 0.4])),
        sleeve=draw.uniform(0.15, 0.6) if upper == "t-shirt" else draw.choice([0.75, 0.95]),
        is_open=bool(upper != "t-shirt" and draw.random() < 0.45),
        has_seam=bool(draw.random() < 0.6),
        lower=lower,
        lower_length=draw.uniform(*length_range),
        flare=draw.uniform(0.7, 2.0),
        boots=float(draw.choice([0.0, draw.uniform(0.15, 0.45)], p=[0.65, 0.35])),
        bag=str(draw.choice(["none", "backpack", "shoulder", "hand"], p=[0.3, 0.3, 0.25, 0.15])),
        bag_side=int(draw.choice([-1, 1])),
        bag_size=draw.uniform(0.8, 1.6),
        hat=str(draw.choice(["none", "cap", "beanie", "brim"], p=[0.58, 0.16, 0.16, 0.1])),
        hair=str(draw.choice(hair, p=hair_odds)),
        parting=int(draw.choice([-1, 1])),
        has_scarf=bool(draw.random() < (0.05 if upper == "t-shirt" else 0.25)),
        has_glasses=bool(draw.random() < 0.3),
        pattern=str(
            draw.choice(["plain", "stripes", "checks", "logo"], p=[0.45, 0.25, 0.15, 0.15])
        ),
        pattern_period=draw.uniform(0.045, 0.10),
    )


def _draw_habit(draw: np.random.Generator) -> Habit:
    arms = draw.choice(ARMS, size=2, p=ARM_ODDS)
    return Habit(
        arms=(str(arms[0]), str(arms[1])),
        splay=draw.uniform(0.0, 0.08),
        stance=draw.uniform(0.3, 1.1),
        lean=draw.normal(0.0, 0.015),
        stride=draw.uniform(0.5, 1.2),
    )
