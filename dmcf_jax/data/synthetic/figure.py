"""A synthetic person in a pose before a camera: landmarks that all garments share."""

from dmcf_jax.data.synthetic.person import Person
from dmcf_jax.data.synthetic.pose import ANKLE, Pose, arms, legs
from dmcf_jax.data.synthetic.sketch import Row, Sketch, View

_SPARE = {"coat": 0.016, "jacket": 0.012, "vest": 0.010, "shirt": 0.004}


class Figure:
    """Landmarks of one person in one pose, and the canvas.

    Args:
        person: who is drawn.
        pose: the body at this instant.
        view: how it is seen.
        size: height and width of the picture.
    """

    def __init__(self, person: Person, pose: Pose, view: View, size: tuple[int, int]):
        self.body, self.outfit, self.pose = person.body, person.outfit, pose
        body = person.body
        self.shoulder = body.head + 0.035
        self.crotch = 1 - body.legs
        self.waist = self.shoulder + 0.62 * (self.crotch - self.shoulder)
        self.knee = self.crotch + 0.5 * (ANKLE - self.crotch)
        self.legs = legs(body, person.habit.stance, pose)
        self.arms = arms(body, self.waist, pose)
        lowest = max(leg[2][1] for leg in self.legs)
        self.sketch = Sketch(view, size, drop=ANKLE - lowest)
        self.faces_us = self.sketch.cos > 0
        self.hem = self._height(self.outfit.upper.hem)
        self.trunk = self.rows(self.hem, _SPARE[self.outfit.upper.kind])

    def _height(self, hem: float) -> float:
        if hem <= 1:
            return self.waist + hem * (self.crotch - self.waist)
        return self.crotch + (hem - 1) * (self.knee - self.crotch)

    def inner_hem(self) -> float:
        """Return the height at which the inner garment ends."""
        upper = self.outfit.upper
        return self._height(min(2.5, upper.hem + upper.inner_hem))

    def rows(self, end: float, spare: float) -> list[Row]:
        """Return a tube around the trunk (see `Sketch.tube`).

        Args:
            end: height at which it ends.
            spare: how far cloth is off the body.
        """
        body, deep = self.body, self.body.depth
        chest, hips = body.shoulders, body.hips + spare
        heights = [
            (self.shoulder - 0.014, 0.033, 0.03),
            (self.shoulder + 0.006, 0.8 * chest, 0.05),
            (self.shoulder + 0.045, chest, deep * chest),
            (self.waist, body.waist + spare, deep * body.waist + spare),
            (self.crotch - 0.03, hips, deep * hips),
        ]
        if end > self.crotch:
            wider = hips + 0.09 * (end - self.crotch) * self.outfit.upper.flare
            heights.append((end, wider, deep * wider + 0.2 * (end - self.crotch)))
        span = self.crotch - self.shoulder
        return [
            (y, wide, thick, self.pose.stoop * max(0.0, self.crotch - y) / span)
            for y, wide, thick in _until(heights, end)
        ]

    def down(self, fraction: float) -> float:
        """Return the height at a fraction of the way from shoulders to hem."""
        return self.shoulder + fraction * (self.hem - self.shoulder)


def _until(rows: list[tuple[float, float, float]], end: float) -> list[tuple[float, float, float]]:
    kept = [row for row in rows if row[0] < end - 1e-6]
    if len(kept) == len(rows):
        return rows
    above, below = kept[-1], rows[len(kept)]
    share = (end - above[0]) / (below[0] - above[0])
    y, wide, thick = (a + share * (b - a) for a, b in zip(above, below, strict=True))
    return [*kept, (y, wide, thick)]
