"""Made-up people: pictures of a person in visible light, thermal or near infrared.

`make_person` says who somebody is, `render` takes one picture. Everything follows from integers,
so the same numbers give the same pixels on any machine. A picture in one spectrum shares with a
picture in another what an identity keeps (proportions, garments, bag, hat, hair, posture) and, at
an equal frame number, the gait; never colour, background, camera or the detector's box.
"""

import numpy as np
from jaxtyping import UInt8

from dmcf_jax.data.synthetic.body import draw_parts
from dmcf_jax.data.synthetic.camera import make_camera, take_picture
from dmcf_jax.data.synthetic.parts import Part, Stream, numbered_generator
from dmcf_jax.data.synthetic.person import Person, make_person
from dmcf_jax.data.synthetic.scene import SPECTRA, light_scene
from dmcf_jax.data.synthetic.sketch import Placement, draw_pose
from dmcf_jax.errors import UserError

__all__ = ["SPECTRA", "Person", "make_person", "render"]


def render(
    person: Person,
    *,
    spectrum: str,
    frame: int,
    camera: int,
    view: str = "front",
    size: tuple[int, int] = (128, 64),
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the picture that `camera` takes of `person` at `frame`.

    `spectrum` is one of `SPECTRA`, `view` 'front' or 'back', `size` (height, width) in pixels;
    `frame` and `camera` are non-negative numbers. Infrared pictures have three equal channels.
    Raises `UserError` for a spectrum or view of another name.
    """
    _check(spectrum, view)
    band = SPECTRA.index(spectrum)
    draw = numbered_generator(Stream.SCENE, person.seed, person.identity, frame, camera, band)
    pose = draw_pose(person, frame=frame, view=view)
    parts = draw_parts(person, pose, _draw_placement(draw), size)
    if draw.random() < 0.05:
        _occlude(parts, draw)
    scene = light_scene(person, parts, spectrum, draw)
    return take_picture(scene, make_camera(person.seed, camera, spectrum), draw)


def _check(spectrum: str, view: str) -> None:
    problems = []
    if spectrum not in SPECTRA:
        problems.append(f"spectrum is {spectrum!r}, expected one of {', '.join(SPECTRA)}")
    if view not in ("front", "back"):
        problems.append(f"view is {view!r}, expected 'front' or 'back'")
    if problems:
        raise UserError.listing("a made-up person cannot be rendered:", problems)


def _draw_placement(draw: np.random.Generator) -> Placement:
    height = draw.uniform(0.88, 0.96)
    return Placement(
        left=draw.normal(0.5, 0.02),
        top=(1 - height) / 2 + draw.normal(0, 0.01),
        height=height,
        stretch=draw.normal(1.28, 0.04),
    )


def _occlude(parts: UInt8[np.ndarray, "H W"], draw: np.random.Generator) -> None:
    """Put a post, a railing or a car's bonnet before the figure, in place."""
    height, width = parts.shape
    if draw.random() < 0.5:
        parts[round(draw.uniform(0.78, 0.95) * height) :] = Part.OCCLUDER
    else:
        left = round(draw.uniform(0.1, 0.8) * width)
        parts[:, left : left + round(draw.uniform(0.05, 0.15) * width)] = Part.OCCLUDER
