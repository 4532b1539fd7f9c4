"""The body of a synthetic person at one instant: gait, arms and the side that is seen.

Coordinates are the body's own, in units of its height: x to the person's left, y from 0 (crown)
down to 1 (soles), z to the front.
"""

import bisect
import math
from typing import NamedTuple

import numpy as np

from dmcf_jax.data.synthetic.parts import Stream, numbered_generator
from dmcf_jax.data.synthetic.person import Body, Person

ANKLE = 0.955
SIDES = (-1, 1)  # the person's right and left
_UPPER_ARM, _FOREARM = 0.165, 0.15
_ARMS = ("swing", "pocket", "phone", "front", "strap", "behind", "hip")
_ARM_ODDS = (0.60, 0.70, 0.77, 0.87, 0.92, 0.95)  # cumulative, all but the last
_YAW_SPREAD = math.radians(32)

Point3 = tuple[float, float, float]


class Pose(NamedTuple):
    """The body at one instant.

    Attributes:
        yaw: turn in radians; 0 faces the camera, pi shows the back, pi / 2 the right side.
        phase: instant of the gait in radians.
        stride: how far the legs swing, in radians.
        swing: how far the arms swing, in radians.
        arms: what the right and the left arm do.
        reach: shift of each hand, (x, y), in units of the body's height.
        stoop: how far the head is in front of the hips, in units of the body's height.
    """

    yaw: float
    phase: float
    stride: float
    swing: float
    arms: tuple[str, str]
    reach: tuple[float, float, float, float]
    stoop: float


def draw_pose(person: Person, *, frame: int, view: str) -> Pose:
    """Return the pose at a frame: cameras of any spectrum that share a frame see the same one.

    Args:
        person: who moves.
        frame: number of the instant.
        view: 'front' or 'back'; the body is turned by up to a right angle from there.
    """
    draw = numbered_generator(Stream.POSE, person.seed, person.identity, frame)
    habit, (turn, stoop, *reach) = person.habit, draw.standard_normal(6).tolist()
    stands, phase, stride, swing, side, *arms = draw.random(8).tolist()
    walks = 0.15 if stands < 0.15 else 1.0
    return Pose(
        yaw=_yaw(view, turn, side),
        phase=2 * math.pi * phase,
        stride=walks * habit.stride * (0.25 + 0.23 * stride),
        swing=walks * habit.swing * (0.15 + 0.45 * swing),
        arms=_choose_arms(person, *arms),
        reach=tuple(0.014 * shift for shift in reach),
        stoop=habit.stoop + 0.012 * stoop,
    )


def _yaw(view: str, turn: float, side: float) -> float:
    if view == "any":
        return 2 * math.pi * side
    return min(1.5, max(-1.5, _YAW_SPREAD * turn)) + (math.pi if view == "back" else 0.0)


def seen_later(pose: Pose, draw: np.random.Generator) -> Pose:
    """Return the pose as another camera sees it: nearly from there, nearly at that instant."""
    shift = draw.normal(0, 1, 3)
    return pose._replace(
        yaw=pose.yaw + 0.12 * float(shift[0]),
        phase=pose.phase + 0.35 * float(shift[1]),
        stoop=pose.stoop + 0.006 * float(shift[2]),
    )


def _choose_arms(person: Person, right: float, left: float, bent: float) -> tuple[str, str]:
    """Return what the arms do, from three numbers in 0..1."""
    kinds = [_ARMS[bisect.bisect(_ARM_ODDS, chance)] for chance in (right, left)]
    bag, habit = person.outfit.bag, person.habit
    if habit.bent_arm and bent < 0.3:
        kinds[habit.bent_arm > 0] = "front"
    if bag.kind == "hand":
        kinds[bag.side > 0] = "swing"
    return kinds[0], kinds[1]


def legs(body: Body, stance: float, pose: Pose) -> list[list[Point3]]:
    """Return hip, knee and ankle of the right and the left leg."""
    crotch = 1 - body.legs
    bone = 0.5 * (ANKLE - crotch + 0.02)
    joints = []
    for side in SIDES:
        phase = pose.phase + (math.pi if side > 0 else 0.0)
        angle = pose.stride * math.sin(phase)
        bend = 2.1 * pose.stride * max(0.0, math.cos(phase)) + 0.05
        hip, foot = side * 0.5 * body.hips, side * stance * body.hips
        knee_y, knee_z = crotch - 0.02 + bone * math.cos(angle), bone * math.sin(angle)
        ankle_y = knee_y + bone * math.cos(angle - bend)
        ankle_z = knee_z + bone * math.sin(angle - bend)
        knee = (0.5 * (hip + foot), knee_y, knee_z)
        joints.append([(hip, crotch - 0.02, 0.0), knee, (foot, ankle_y, ankle_z)])
    return joints


def arms(body: Body, waist: float, pose: Pose) -> list[list[Point3]]:
    """Return shoulder, elbow and hand of the right and the left arm.

    Args:
        body: proportions.
        waist: height of the waist.
        pose: what the arms do.
    """
    shoulder = body.head + 0.045
    joints = []
    for index, side in enumerate(SIDES):
        top = (side * (body.shoulders - 0.4 * body.limbs), shoulder + 0.025, 0.8 * pose.stoop)
        dx, dy = pose.reach[2 * index], pose.reach[2 * index + 1]
        if pose.arms[index] == "swing":
            angle = pose.swing * math.sin(pose.phase + (0.0 if side > 0 else math.pi))
            joints.append(_swinging(top, side, angle, dx))
        else:
            elbow, hand = _placed(pose.arms[index], body, waist, shoulder, side)
            joints.append([top, elbow, (hand[0] + dx, hand[1] + dy, hand[2])])
    return joints


def _swinging(top: Point3, side: int, angle: float, spread: float) -> list[Point3]:
    out, bend = abs(spread) + 0.02, 0.25 + 0.5 * max(0.0, angle)
    x, y, z = top
    elbow = (
        x + side * out,
        y + _UPPER_ARM * math.cos(angle),
        z + _UPPER_ARM * math.sin(angle),
    )
    hand_y = elbow[1] + _FOREARM * math.cos(angle + bend)
    hand_z = elbow[2] + _FOREARM * math.sin(angle + bend)
    return [top, elbow, (elbow[0] + side * (0.5 * out - 0.012), hand_y, hand_z)]


def _placed(
    kind: str, body: Body, waist: float, shoulder: float, side: int
) -> tuple[Point3, Point3]:
    """Return elbow and hand of an arm that does not swing."""
    wide, low, chest = body.shoulders, shoulder + 0.19, 0.12 * body.shoulders
    elbow, hand = {
        "pocket": ((wide + 0.03, low, -0.05), (0.95 * body.hips, waist + 0.09, 0.03)),
        "phone": ((wide + 0.02, low - 0.01, 0.07), (0.45 * wide, shoulder - 0.03, 0.06)),
        "front": ((wide + 0.01, low, 0.02), (chest, low, 0.15)),
        "strap": ((wide + 0.03, low, 0.04), (0.6 * wide, shoulder + 0.09, 0.10)),
        "behind": ((wide + 0.03, low, -0.08), (chest, waist + 0.06, -0.12)),
        "hip": ((wide + 0.09, low - 0.01, -0.03), (1.05 * body.hips, waist, 0.02)),
    }[kind]
    return (side * elbow[0], *elbow[1:]), (side * hand[0], *hand[1:])
