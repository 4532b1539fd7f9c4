"""Folders of shared models with other values, fields, tensors and bytes, and hashes that fit them.

Who changes a file on purpose changes its hash as well, so the hash protects nothing here.
"""

import functools
import hashlib
import json
import random
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from support.shared_model import shared_folder
from support.verdict import refusal

from dmcf_jax.export.hub.read import read_shared

KINDS = ("config", "metrics", "header", "bytes")
VALUES = [None, True, -1, 0, 1, 10**30, 1e308, float("nan"), "", "x" * 1000, "\x1b[31m"]
VALUES += [[], [1], [[1]], {}, {"a": 1}]

cases = st.tuples(st.sampled_from(KINDS), st.integers(0, 2**32))


def check_shared(case: tuple[str, int]) -> str | None:
    """Return the message with which a changed folder is refused, None if it is read."""
    kind, number = case
    draw, files = random.Random(number), dict(_good())
    if kind in ("config", "metrics"):
        content = _change(json.loads(files[f"{kind}.json"]), draw)
        files[f"{kind}.json"] = json.dumps(content).encode()
    else:
        files["model.safetensors"] = _other_weights(files["model.safetensors"], kind, draw)
    if kind != "metrics":
        metrics = json.loads(files["metrics.json"])
        metrics["sha256"] = {n: hashlib.sha256(files[n]).hexdigest() for n in metrics["sha256"]}
        files["metrics.json"] = json.dumps(metrics).encode()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        message = refusal(lambda: read_shared(Path(folder)))
    assert "\x1b" not in (message or "")
    return message


@functools.cache
def _good() -> dict[str, bytes]:
    """Return the files of a folder that is read."""
    with tempfile.TemporaryDirectory() as root:
        _, folder = shared_folder(Path(root))
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _change(content, draw):
    """Return `content` with one entry changed, removed or added, at any depth."""
    places = list(content) if isinstance(content, dict) else range(len(content))
    if not places:
        return draw.choice(VALUES)
    place = draw.choice(list(places))
    inner = content[place]
    if isinstance(inner, dict | list) and draw.random() < 0.7:
        content[place] = _change(inner, draw)
    elif isinstance(content, dict) and draw.random() < 0.3:
        del content[place]
    else:
        content[place] = draw.choice(VALUES)
    return content


def _other_weights(data, kind, draw):
    length = int.from_bytes(data[:8], "little")
    if kind == "bytes":
        changed = bytearray(data)
        for _ in range(draw.randrange(1, 4)):
            changed[draw.randrange(8 + length)] = draw.randrange(256)
        return bytes(changed)
    header = json.dumps(_change(json.loads(data[8 : 8 + length]), draw)).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + length :]
