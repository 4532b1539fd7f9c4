"""Synthetic people: pictures of a person in visible light, thermal or near infrared.

`make_person` says who somebody is, `render` takes one picture. Everything follows from integers,
so the same numbers give the same pixels on any machine. A picture in one spectrum shares with a
picture in another what an identity keeps (proportions, garments and their borders, bag, hat,
hair) and, at an equal frame number, nearly the same instant of the gait; never colour,
background, camera or the detector's box.
"""

import numpy as np
from jaxtyping import UInt8

from dmcf_jax.data.synthetic.background import occlude
from dmcf_jax.data.synthetic.body import draw_parts
from dmcf_jax.data.synthetic.camera import (
    Camera,
    make_camera,
    sensor_size,
    take_picture,
)
from dmcf_jax.data.synthetic.parts import Stream, numbered_generator
from dmcf_jax.data.synthetic.person import Person, make_person
from dmcf_jax.data.synthetic.pose import draw_pose, seen_later
from dmcf_jax.data.synthetic.scene import SPECTRA, light_scene
from dmcf_jax.data.synthetic.sketch import View
from dmcf_jax.errors import UserError

__all__ = ["SPECTRA", "VIEWS", "Person", "make_person", "render"]

VIEWS = ("front", "back", "any")
_CUT = 0.12  # how often a box cuts off feet, head or a side


def render(
    person: Person,
    *,
    spectrum: str,
    frame: int,
    camera: int,
    view: str = "front",
    looseness: float = 1.0,
    size: tuple[int, int] = (128, 64),
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the picture that a camera takes of a person at a frame.

    Args:
        person: who is seen.
        spectrum: one of `SPECTRA`; infrared pictures have three equal channels.
        frame: number of the instant, 0 or more.
        camera: number of the camera, 0 or more.
        view: 'front' or 'back'; the body is turned from there by up to a right angle.
        size: height and width in pixels.

    Raises:
        UserError: a spectrum or a view has another name.
    """
    _check(spectrum, view)
    band = SPECTRA.index(spectrum)
    draw = numbered_generator(Stream.SCENE, person.seed, person.identity, frame, camera, band)
    pose = seen_later(draw_pose(person, frame=frame, view=view), draw)
    taker = make_camera(person.seed, camera, spectrum)
    sensor = sensor_size(taker, size, draw)
    parts = draw_parts(person, pose, _draw_view(pose.yaw, taker, looseness, draw), sensor)
    occlude(parts, draw)
    return take_picture(light_scene(person, parts, spectrum, draw), taker, size, draw)


def _check(spectrum: str, view: str) -> None:
    problems = []
    if spectrum not in SPECTRA:
        problems.append(f"spectrum is {spectrum!r}, expected one of {', '.join(SPECTRA)}")
    if view not in VIEWS:
        problems.append(f"view is {view!r}, expected one of {', '.join(VIEWS)}")
    if problems:
        raise UserError.listing("a synthetic person cannot be rendered:", problems)


def _draw_view(yaw: float, camera: Camera, loose: float, draw: np.random.Generator) -> View:
    """Return where a loose, sometimes cutting box puts the body."""
    pitch, roll, left, top, stretch = draw.standard_normal(5).tolist()
    size, cut, end = draw.random(3).tolist()
    height, shift = 0.895 + 0.17 * loose * (size - 0.5), 0.0
    if cut < _CUT * loose:
        height, shift = 1.02 * height + 0.06, 0.08 * (2 * end - 1)
    return View(
        yaw=yaw,
        pitch=max(0.0, camera.pitch + 0.05 * pitch),
        roll=0.03 * roll,
        left=0.5 + 0.045 * loose * left,
        top=(1 - height) / 2 + 0.024 * loose * top + shift,
        height=height,
        stretch=1.26 + 0.07 * loose * stretch,
    )
