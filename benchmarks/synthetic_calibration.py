"""How hard synthetic people are for matchers that learn nothing.

    python -m benchmarks.synthetic_calibration --layout=regdb --seed=0 --people=412
    python -m benchmarks.synthetic_calibration --sheet=docs/synthetic_people.jpg

Prints one JSON object: rank-1 and mAP in percent by descriptor and protocol, on the test people
of the layout. The published figures that they are compared with are in docs/synthetic.md.
"""

import argparse
import json
import types

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from dmcf_jax.data.synthetic.people import make_person, render
from dmcf_jax.data.synthetic.shots import (
    Shot,
    regdb_halves,
    regdb_shots,
    sysu_cameras,
    sysu_shots,
    sysu_splits,
)
from dmcf_jax.evaluation.evaluate_protocol import ProtocolResult, evaluate_protocols
from dmcf_jax.evaluation.protocols import find_protocol
from dmcf_jax.models.descriptors.hog import hog, luma

PROTOCOLS = {
    "regdb": ("regdb/visible-to-thermal", "regdb/thermal-to-visible"),
    "sysu_mm01": ("sysu_mm01/all/single/python-seeded",),
}
_SHEET_PEOPLE, _SHEET_FRAMES = 12, 4


def test_shots(layout: str, seed: int, people: int) -> list[Shot]:
    """Return the shots of the people that a layout tests with.

    Args:
        layout: 'regdb' (trial 1) or 'sysu_mm01'.
        seed: number of the world.
        people: how many there are over all splits.
    """
    if layout == "regdb":
        tested = regdb_halves(seed, people, 1)["test"]
        return [s for pid in tested for band in regdb_shots(seed, pid, 10).values() for s in band]
    splits = sysu_splits(people, seed)
    cameras = sysu_cameras(splits, seed)
    return [
        shot
        for pid in splits["test"]
        for camera in cameras[pid]
        for shot in sysu_shots(seed, pid, camera, 12)
    ]


def take(shots: list[Shot]) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the pictures of all shots."""
    people = {}
    for shot in shots:
        if shot.identity not in people:
            people[shot.identity] = make_person(shot.seed, shot.identity)
    return np.stack([shot.take(people[shot.identity]) for shot in shots])


def colour_histogram(images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n 48"]:
    """Return how many values of each channel are in each of 16 bins."""
    bins = (images >> 4).reshape(len(images), -1, 3)
    return np.stack(
        [np.bincount((row + [0, 16, 32]).ravel(), minlength=48) for row in bins]
    ).astype(float)


def raw_pixels(images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n d"]:
    """Return grey levels less their mean."""
    pixels = np.asarray(luma(images)).reshape(len(images), -1).astype(np.float32)
    return pixels - pixels.mean(1, keepdims=True)


def random_numbers(images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n 64"]:
    """Return embeddings that have nothing to do with the images: chance."""
    return np.random.default_rng(0).standard_normal((len(images), 64))


def calibrate(layout: str, seed: int, people: int) -> dict:
    """Return rank-1 and mAP, in percent, by descriptor and protocol."""
    shots = test_shots(layout, seed, people)
    images = take(shots)
    metadata = types.SimpleNamespace(
        identity=np.array([shot.identity for shot in shots]),
        camera=np.array([shot.camera for shot in shots]),
        modality=np.array([int(shot.spectrum != "visible") for shot in shots]),
        path=np.array([shot.name for shot in shots]),
    )
    protocols = [find_protocol(name) for name in PROTOCOLS[layout]]
    scores = {}
    for describe in (hog, colour_histogram, raw_pixels, random_numbers):
        results = evaluate_protocols(protocols, describe(images).astype(np.float32), metadata)
        scores[describe.__name__] = {r.protocol.name: _mean_scores(r) for r in results}
    tested = len({shot.identity for shot in shots})
    return {"layout": layout, "seed": seed, "people": people, "tested": tested, "percent": scores}


def _mean_scores(result: ProtocolResult) -> dict[str, float]:
    rank1 = np.mean([trial.metrics.cmc[0] for trial in result.trials])
    mean_ap = np.mean([trial.metrics.mAP for trial in result.trials])
    return {"rank-1": round(100 * float(rank1), 2), "mAP": round(100 * float(mean_ap), 2)}


def contact_sheet(seed: int) -> Image.Image:
    """Return pictures of some people, a person in a row: visible, thermal and near infrared."""
    rows = []
    for identity in range(1, _SHEET_PEOPLE + 1):
        person, view = make_person(seed, identity), "front" if identity % 2 else "back"
        row = [
            render(person, spectrum=spectrum, frame=frame, camera=camera, view=view)
            for spectrum, camera in (("visible", 1), ("thermal", 2), ("near_infrared", 3))
            for frame in range(1, _SHEET_FRAMES + 1)
        ]
        rows.append(np.concatenate(row, 1))
    return Image.fromarray(np.concatenate(rows, 0))


def main() -> None:
    """Calibrate, or draw a contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layout", choices=sorted(PROTOCOLS), default="regdb")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--people", type=int, default=412, help="over all splits")
    parser.add_argument("--sheet", help="write a contact sheet to this file instead")
    flags = parser.parse_args()
    if flags.sheet:
        contact_sheet(flags.seed).save(flags.sheet, quality=80)
    else:
        print(json.dumps(calibrate(flags.layout, flags.seed, flags.people)))


if __name__ == "__main__":
    main()
