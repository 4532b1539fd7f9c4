"""The canvas that a figure is drawn on: pose, landmarks and brushes.

Coordinates are the body's own: y runs from 0 (crown) to 1 (soles), x from the spine to the right
of the picture, both in units of the body's height.
"""

import dataclasses
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from dmcf_jax.data.synthetic.parts import Part, Stream, numbered_generator
from dmcf_jax.data.synthetic.person import ARM_ODDS, ARMS, Person

SUPERSAMPLING = 2
ANKLE = 0.955
Point = tuple[float, float]
Points = Sequence[Point]


@dataclasses.dataclass(frozen=True)
class Pose:
    """The body at one instant: view 'front' or 'back', gait phase and turn in radians.

    Arms mostly follow the person's habit, not always; both they and `arm_jitter` are in the
    person's own frame.
    """

    view: str
    phase: float
    turn: float
    swing: float
    arms: tuple[str, str]
    arm_jitter: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where a detector's box put the body.

    `left` and `top` are the picture's fractions at which spine and crown stand, `height` the
    body's height as a fraction of the picture's and `stretch` what resizing the box to the
    picture's shape did to widths.
    """

    left: float
    top: float
    height: float
    stretch: float


def draw_pose(person: Person, *, frame: int, view: str) -> Pose:
    """Return the pose at `frame`: cameras of any spectrum that share a frame see the same one."""
    draw = numbered_generator(Stream.POSE, person.seed, person.identity, frame)
    jitter = draw.normal(0, 0.022, 2)
    arms = [
        arm if draw.random() < 0.9 else str(draw.choice(ARMS, p=ARM_ODDS))
        for arm in person.habit.arms
    ]
    if person.outfit.bag == "hand":
        arms[0 if person.outfit.bag_side < 0 else 1] = "swing"
    return Pose(
        view=view,
        phase=draw.uniform(0, 2 * math.pi),
        turn=min(0.8, max(-0.8, draw.normal(0, 0.15))),
        swing=draw.uniform(0.4, 0.9),
        arms=(arms[0], arms[1]),
        arm_jitter=(float(jitter[0]), float(jitter[1])),
    )


class Sketch:
    """A canvas of parts, the body's landmarks and the brushes."""

    def __init__(self, person: Person, pose: Pose, placement: Placement, size: tuple[int, int]):
        height, width = (SUPERSAMPLING * side for side in size)
        self.body, self.outfit, self.habit = person.body, person.outfit, person.habit
        self.pose = pose
        self.unit = placement.height * height
        self.origin = (placement.left * width, placement.top * height)
        self.wide = self.unit * placement.stretch * _turned_width(pose.turn)
        self.image = Image.new("L", (width, height))
        self.brush = ImageDraw.Draw(self.image)
        self.mirror = 1 if pose.view == "back" else -1
        self._landmarks()

    def _landmarks(self) -> None:
        body = self.body
        self.shoulder = body.head + 0.035
        self.crotch = 1 - body.legs
        self.waist = self.shoulder + 0.62 * (self.crotch - self.shoulder)
        self.knee = self.crotch + 0.5 * (ANKLE - self.crotch)
        self.legs = [self._leg(side) for side in (-1, 1)]
        self.arms = [self._arm(index, side) for index, side in enumerate((-1, 1))]

    def _leg(self, side: int) -> list[Point]:
        phase = self.pose.phase + (math.pi if side > 0 else 0)
        stride = self.habit.stride * math.sin(phase)
        drift = 0.16 * stride * math.sin(self.pose.turn) + 0.006 * stride
        lift = 0.05 * self.habit.stride * max(0.0, math.cos(phase))
        hip, foot = side * 0.5 * self.body.hips, side * self.habit.stance * self.body.hips
        knee = (0.45 * hip + 0.55 * foot + 0.6 * drift, self.knee - 0.3 * lift)
        return [(hip, self.crotch - 0.02), knee, (foot + drift, ANKLE - lift)]

    def _arm(self, index: int, side: int) -> list[Point]:
        own = index if self.mirror > 0 else 1 - index
        top = (side * (self.body.shoulders - 0.4 * self.body.limbs), self.shoulder + 0.03)
        move = self.pose.swing * math.sin(self.pose.phase + index * math.pi)
        out = self.habit.splay + self.pose.arm_jitter[own]
        elbow = (top[0] + side * (0.018 + out), top[1] + 0.165 - 0.012 * move)
        hand = {
            "swing": (elbow[0] + side * (0.4 * out - 0.012), elbow[1] + 0.15 - 0.025 * move),
            "pocket": (side * 0.85 * self.body.hips, self.waist + 0.085),
            "phone": (side * 0.35 * self.body.shoulders, self.shoulder + 0.11),
        }[self.pose.arms[own]]
        if self.pose.arms[own] != "swing":
            elbow = (elbow[0] + side * 0.03, elbow[1])
        return [top, elbow, hand]

    def at(self, x: float, y: float) -> Point:
        """Return where on the canvas, in its pixels, a point of the body lies."""
        lean = self.habit.lean * (1 - y) / 0.5
        return self.origin[0] + (x + lean) * self.wide, self.origin[1] + y * self.unit

    def polygon(self, points: Points, part: Part) -> None:
        """Fill a polygon."""
        self.brush.polygon([self.at(*point) for point in points], fill=int(part))

    def mirrored(self, half: Points, part: Part) -> None:
        """Fill the shape whose right half, downwards, is `half`."""
        self.polygon([*half, *((-x, y) for x, y in reversed(half))], part)

    def oval(self, x: float, y: float, across: float, down: float, part: Part) -> None:
        """Fill an upright ellipse of these half axes around (x, y)."""
        (left, top), (right, bottom) = self.at(x - across, y - down), self.at(x + across, y + down)
        box = [min(left, right), min(top, bottom), max(left, right), max(top, bottom)]
        self.brush.ellipse(box, fill=int(part))

    def stroke(self, points: Points, thickness: float, part: Part) -> None:
        """Draw an open line of even thickness."""
        width = max(1, round(thickness * self.unit))
        self.brush.line([self.at(*point) for point in points], fill=int(part), width=width)

    def limb(self, joints: Points, widths: Sequence[float], part: Part) -> None:
        """Fill tapered bones through `joints`, of half width `widths` at each."""
        self.oval(*joints[0], 0.9 * widths[0], 0.6 * widths[0], part)
        pairs = zip(joints, joints[1:], widths, widths[1:], strict=False)
        for (x0, y0), (x1, y1), r0, r1 in pairs:
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            nx, ny = (y1 - y0) / length, (x0 - x1) / length
            corners = [(x0 + r0 * nx, y0 + r0 * ny), (x1 + r1 * nx, y1 + r1 * ny)]
            corners += [(x1 - r1 * nx, y1 - r1 * ny), (x0 - r0 * nx, y0 - r0 * ny)]
            self.polygon(corners, part)
            self.oval(x1, y1, r1, 0.8 * r1, part)


def _turned_width(turn: float) -> float:
    """Return how wide a turned body looks: it is about 0.55 times as deep as it is wide."""
    return math.hypot(math.cos(turn), 0.55 * math.sin(turn))
