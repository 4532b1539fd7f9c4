"""What a synthetic person wears and carries: every choice shows in every spectrum.

Lengths are fractions: of the trunk, an arm or a leg. Which cloth looks how in which spectrum is
in `materials`; here is only where one cloth ends and another begins.
"""

from typing import NamedTuple

import numpy as np


class Upper(NamedTuple):
    """Upper garments.

    Attributes:
        kind: 'coat', 'jacket', 'shirt' or 'vest' (sleeves of the inner garment).
        hem: 0 at the waist, 1 at the crotch, 2 at the knee.
        sleeve: covered fraction of the arm.
        flare: how much a long hem widens.
        blocks: where the second cloth is: 'none', 'yoke', 'base', 'band', 'sides' or 'double'.
        border: height of its border as a fraction from shoulder to hem.
        sleeves: 'same', 'second' (cloth), 'cuffs' or 'armband'.
        hood: 'none', 'down' or 'up'.
        closure: 'none', 'zip' or 'open' (shows the inner garment).
        belt: whether a belt marks the waist.
        inner_hem: how much further the inner garment hangs, in units of `hem`; 0 for none.
        pockets: 'none', 'hips' or 'chest'.
        pattern: print that near infrared shows and thermal does not: 'plain', 'stripes', 'logo'.
    """

    kind: str
    hem: float
    sleeve: float
    flare: float
    blocks: str
    border: float
    sleeves: str
    hood: str
    closure: str
    belt: bool
    inner_hem: float
    pockets: str
    pattern: str


class Lower(NamedTuple):
    """Lower garments and feet.

    Attributes:
        kind: 'trousers', 'shorts' or 'skirt'.
        length: covered fraction of the leg.
        flare: 0 for tight, 1 for wide at the end.
        split: fraction of the leg at which the second cloth begins; 1 for none.
        stripe: whether a stripe of the second cloth runs down the outer sides.
        boots: fraction of the leg, from the sole, inside boots; 0 for shoes.
        socks: fraction of the leg inside socks; 0 for none.
    """

    kind: str
    length: float
    flare: float
    split: float
    stripe: bool
    boots: float
    socks: float


class Head(NamedTuple):
    """What is on and around the head.

    Attributes:
        hat: 'none', 'cap', 'beanie', 'brim' or 'scarf' (a headscarf).
        hair: 'short', 'bob', 'long', 'tail', 'bun' or 'bald'.
        scarf: 'none', 'collar' or 'tails'.
        mask: whether the lower half of the face is covered.
    """

    hat: str
    hair: str
    scarf: str
    mask: bool


class Bag(NamedTuple):
    """What is carried.

    Attributes:
        kind: 'none', 'backpack', 'crossbody', 'shoulder', 'hand' or 'waist'.
        side: -1 for the person's right, 1 for the left.
        size: 1 is usual.
        flap: whether a second material covers its upper half.
    """

    kind: str
    side: int
    size: float
    flap: bool


class Outfit(NamedTuple):
    """Everything that a person wears and carries."""

    upper: Upper
    lower: Lower
    head: Head
    bag: Bag


def draw_outfit(draw: np.random.Generator, sex: str) -> Outfit:
    """Return an outfit.

    Args:
        draw: the person's own random numbers.
        sex: 'male' or 'female', which shifts the odds of skirts and hair.
    """
    return Outfit(_draw_upper(draw), _draw_lower(draw, sex), _draw_head(draw, sex), _draw_bag(draw))


def _pick(draw: np.random.Generator, **odds: float) -> str:
    """Return one of the names, with these odds."""
    limits = np.cumsum(list(odds.values()))
    index = int(np.searchsorted(limits, draw.random() * limits[-1], side="right"))
    return list(odds)[index]


def _sometimes(draw: np.random.Generator, chance: float, low: float, high: float) -> float:
    value = draw.uniform(low, high)
    return value if draw.random() < chance else 0.0


def _draw_upper(draw: np.random.Generator) -> Upper:
    kind = _pick(draw, coat=0.27, jacket=0.33, shirt=0.25, vest=0.15)
    hems = {"coat": (1.15, 2.3), "jacket": (0.1, 1.0), "shirt": (0.2, 1.1), "vest": (0.2, 1.0)}
    short = kind == "shirt" and draw.random() < 0.75
    blocks = _pick(draw, none=0.28, yoke=0.17, base=0.17, band=0.16, sides=0.08, double=0.14)
    pockets = _pick(draw, none=0.6, hips=0.22, chest=0.18)
    return Upper(
        kind=kind,
        hem=draw.uniform(*hems[kind]),
        sleeve=draw.uniform(0.12, 0.62) if short else draw.uniform(0.78, 0.97),
        flare=draw.uniform(0.2, 1.3),
        blocks=blocks,
        border=draw.uniform(0.26, 0.7),
        sleeves=_pick(draw, same=0.42, second=0.26, cuffs=0.16, armband=0.16),
        hood="none" if kind == "shirt" else _pick(draw, none=0.62, down=0.26, up=0.12),
        closure=_pick(draw, none=0.4, zip=0.3, open=0.0 if kind == "shirt" else 0.3),
        belt=bool(draw.random() < (0.35 if kind == "coat" else 0.12)),
        inner_hem=_sometimes(draw, 0.38, 0.22, 0.6),
        pockets=pockets,
        pattern=_pick(draw, plain=0.55, stripes=0.25, logo=0.2),
    )


def _draw_lower(draw: np.random.Generator, sex: str) -> Lower:
    skirts = 0.4 if sex == "female" else 0.0
    kind = _pick(draw, trousers=0.72 - skirts, shorts=0.28, skirt=skirts)
    lengths = {"trousers": (0.82, 1.0), "shorts": (0.2, 0.62), "skirt": (0.25, 0.9)}
    length = draw.uniform(*lengths[kind])
    split = draw.uniform(0.35, 0.75) * length if draw.random() < 0.25 else 1.0
    boots = _sometimes(draw, 0.36, 0.14, 0.46)
    return Lower(
        kind=kind,
        length=length,
        flare=draw.uniform(0.0, 1.0),
        split=split,
        stripe=bool(draw.random() < 0.25),
        boots=boots,
        socks=0.0 if boots else _sometimes(draw, 0.4, 0.1, 0.4),
    )


def _draw_head(draw: np.random.Generator, sex: str) -> Head:
    male = {"short": 0.7, "bald": 0.15, "bob": 0.05, "long": 0.05, "tail": 0.05}
    female = {"short": 0.14, "bob": 0.2, "long": 0.3, "tail": 0.18, "bun": 0.18}
    return Head(
        hat=_pick(draw, none=0.5, cap=0.15, beanie=0.15, brim=0.1, scarf=0.1),
        hair=_pick(draw, **(male if sex == "male" else female)),
        scarf=_pick(draw, none=0.66, collar=0.16, tails=0.18),
        mask=bool(draw.random() < 0.15),
    )


def _draw_bag(draw: np.random.Generator) -> Bag:
    return Bag(
        kind=_pick(
            draw, none=0.22, backpack=0.24, crossbody=0.16, shoulder=0.15, hand=0.13, waist=0.1
        ),
        side=1 if draw.random() < 0.5 else -1,
        size=draw.uniform(0.75, 1.6),
        flap=bool(draw.random() < 0.4),
    )
