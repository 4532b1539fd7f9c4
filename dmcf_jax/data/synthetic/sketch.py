"""The canvas that a figure is drawn on: the camera's view of the body and the brushes.

Points are (x, y, z) in the body's own coordinates (see `pose`).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from dmcf_jax.data.synthetic.parts import Part
from dmcf_jax.data.synthetic.pose import Point3

SUPERSAMPLING = 2
Flat = tuple[float, float]
Row = tuple[float, float, float, float]


class View(NamedTuple):
    """Where the camera is and where a detector's box put the body.

    Attributes:
        yaw: turn of the body in radians, 0 facing the camera.
        pitch: how far the camera looks down, in radians.
        roll: tilt of the picture, in radians.
        left: the picture's fraction at which the spine is.
        top: the picture's fraction at which the crown is.
        height: the body's height as a fraction of the picture's.
        stretch: what resizing the box to the picture's shape did to widths.
    """

    yaw: float
    pitch: float
    roll: float
    left: float
    top: float
    height: float
    stretch: float


class Sketch:
    """A canvas of parts, the camera's view and the brushes.

    Args:
        view: how the body is seen.
        size: height and width of the picture; the canvas is `SUPERSAMPLING` times as large.
        drop: how far the body is lower than when it stands straight.
    """

    def __init__(self, view: View, size: tuple[int, int], drop: float = 0.0):
        height, width = (SUPERSAMPLING * side for side in size)
        self.cos, self.sin = math.cos(view.yaw), math.sin(view.yaw)
        self.pitch, self.roll, self.drop = math.sin(view.pitch), math.sin(view.roll), drop
        self.unit = view.height * height
        self.wide = self.unit * view.stretch
        self.origin = (view.left * width, view.top * height)
        self.image = Image.new("L", (width, height))
        self.brush = ImageDraw.Draw(self.image)

    def near(self, x: float, z: float) -> float:
        """Return how much nearer than the spine a point is to the camera."""
        return z * self.cos - x * self.sin

    def flat(self, point: Point3) -> Flat:
        """Return where the camera sees a point, in the body's units."""
        x, y, z = point
        across = x * self.cos + z * self.sin
        down = y + self.drop + self.pitch * (z * self.cos - x * self.sin)
        return across + self.roll * (0.5 - down), down + self.roll * across

    def _fill(self, points: Sequence[Flat], part: Part) -> None:
        left, top = self.origin
        wide, unit = self.wide, self.unit
        self.brush.polygon([(left + x * wide, top + y * unit) for x, y in points], fill=int(part))

    def oval(self, centre: Point3, across: float, down: float, part: Part) -> None:
        """Fill an upright ellipse of these half axes."""
        x, y = self.flat(centre)
        left, top = self.origin[0] + x * self.wide, self.origin[1] + y * self.unit
        a, b = abs(across * self.wide), abs(down * self.unit)
        self.brush.ellipse([left - a, top - b, left + a, top + b], fill=int(part))

    def block(self, centre: Point3, box: Point3, part: Part, taper: float = 1.0) -> None:
        """Fill an upright box of half sizes (x, y, z); `taper` scales its upper side."""
        x, y = self.flat(centre)
        half = self.half_width(box[0], box[2], square=True)
        high, low = y - box[1], y + box[1]
        top = half * taper
        self._fill([(x - top, high), (x + top, high), (x + half, low), (x - half, low)], part)

    def half_width(self, across: float, deep: float, square: bool = False) -> float:
        """Return half the width that an ellipse, or a rectangle, of these half axes shows."""
        if square:
            return abs(across * self.cos) + abs(deep * self.sin)
        return math.hypot(across * self.cos, deep * self.sin)

    def line(self, points: Sequence[Point3], thickness: float, part: Part) -> None:
        """Draw an open line of even thickness in the body's units."""
        left, top = self.origin
        flat = [self.flat(point) for point in points]
        pixels = [(left + x * self.wide, top + y * self.unit) for x, y in flat]
        self.brush.line(pixels, fill=int(part), width=max(1, round(thickness * self.unit)))

    def limb(
        self,
        joints: Sequence[Point3],
        radii: Sequence[float],
        part: Part,
        start: float = 0.0,
        end: float = 1.0,
        shift: float = 0.0,
    ) -> None:
        """Fill a tapered limb from the fraction `start` of its length to the fraction `end`.

        Args:
            joints: its three joints.
            radii: half its width at each joint.
            part: what it shows.
            start: fraction of its length at which to begin; likewise `end`.
            shift: move across, in half widths; for stripes.
        """
        flat = [self.flat(point) for point in joints]
        stops = [start, *([0.5] if start < 0.5 < end else []), end]
        sides: tuple[list[Flat], list[Flat]] = ([], [])
        for stop in stops:
            (x, y), radius, (nx, ny) = _along(flat, radii, stop)
            x, y = x + shift * radius * nx, y + shift * radius * ny
            width = radius * (0.3 if shift else 1.0)
            sides[0].append((x + width * nx, y + width * ny))
            sides[1].append((x - width * nx, y - width * ny))
        self._fill([*sides[0], *reversed(sides[1])], part)

    def tube(
        self,
        rows: Sequence[Row],
        part: Part,
        top: float | None = None,
        bottom: float | None = None,
        angles: Flat | None = None,
    ) -> None:
        """Fill a part of the wall of an upright tube, as far as the camera sees it.

        Args:
            rows: (y, half width, half depth, z of the middle) downwards.
            part: what it shows.
            top: height at which to begin; likewise `bottom`.
            angles: from and to which angle around the tube, 0 at the front, pi / 2 at the left;
                all around by default.
        """
        top = rows[0][0] if top is None else max(top, rows[0][0])
        bottom = rows[-1][0] if bottom is None else min(bottom, rows[-1][0])
        if bottom <= top:
            return
        between = [row for row in rows if top < row[0] < bottom]
        lines = [_at_height(rows, top), *between, _at_height(rows, bottom)]
        edges = [self._edges(row, angles) for row in lines]
        seen = [edge for edge in edges if edge is not None]
        if len(seen) > 1:
            self._fill([*(left for left, _ in seen), *(right for _, right in reversed(seen))], part)

    def _edges(self, row: Row, angles: Flat | None) -> tuple[Flat, Flat] | None:
        y, across, deep, z = row
        half = math.hypot(across * self.cos, deep * self.sin)
        x, y = self.flat((0.0, y, z))
        low, high = -1.0, 1.0
        if angles is not None:
            turn = math.atan2(deep * self.sin, across * self.cos)
            seen = _visible(angles[0] + turn, angles[1] + turn)
            if seen is None:
                return None
            low, high = math.sin(seen[0]), math.sin(seen[1])
        tilt = self.roll * half
        return (x + low * half, y + low * tilt), (x + high * half, y + high * tilt)


def _visible(start: float, end: float) -> Flat | None:
    """Return the part of an interval of angles that faces the camera."""
    middle = math.remainder(0.5 * (start + end), 2 * math.pi)
    half = 0.5 * (end - start)
    low, high = max(middle - half, -math.pi / 2), min(middle + half, math.pi / 2)
    return (low, high) if low < high else None


def _at_height(rows: Sequence[Row], y: float) -> Row:
    for above, below in zip(rows, rows[1:], strict=False):
        if y <= below[0]:
            share = (y - above[0]) / (below[0] - above[0] or 1.0)
            between = (a + share * (b - a) for a, b in zip(above, below, strict=True))
            height, wide, thick, middle = between
            return height, wide, thick, middle
    return rows[-1]


def _along(flat: Sequence[Flat], radii: Sequence[float], stop: float) -> tuple[Flat, float, Flat]:
    """Return point, half width and normal at a fraction of a limb of two bones."""
    bone = 0 if stop < 0.5 else 1
    share = 2 * stop - bone
    (x0, y0), (x1, y1) = flat[bone], flat[bone + 1]
    dx, dy = x1 - x0, y1 - y0
    if stop == 0.5:  # at the joint, across both bones
        dx, dy = flat[2][0] - flat[0][0], flat[2][1] - flat[0][1]
    length = math.hypot(dx, dy) or 1.0
    radius = radii[bone] + share * (radii[bone + 1] - radii[bone])
    return (x0 + share * (x1 - x0), y0 + share * (y1 - y0)), radius, (dy / length, -dx / length)
