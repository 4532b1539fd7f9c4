"""Features files with wrong shapes, kinds, values and bytes."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from support.verdict import refusal

from dmcf_jax.evaluation.score import score

QUERIES, GALLERY, WIDTH = 5, 8, 3
NAMES = [
    f"{side}_{kind}" for side in ("query", "gallery") for kind in ("features", "ids", "cameras")
]
PROTOCOLS = ["plain", "sysu_mm01", "regdb", "llcm", "regdb/visible-to-thermal"]
PROTOCOLS += ["regdb/visible-to-thermal/unique-id", "market1501", "market1501/infrared"]
PROTOCOLS += ["", "nonsense"]
DAMAGES = ["none"] * 6 + ["cut", "flipped", "empty", "text", "npy", "folder", "missing", "bomb"]


def good() -> dict[str, np.ndarray]:
    """Return the arrays of a small file that can be scored."""
    draw = np.random.default_rng(0)
    return {
        "query_features": draw.standard_normal((QUERIES, WIDTH)).astype(np.float32),
        "query_ids": draw.integers(0, 3, QUERIES),
        "query_cameras": draw.integers(1, 7, QUERIES),
        "gallery_features": draw.standard_normal((GALLERY, WIDTH)).astype(np.float32),
        "gallery_ids": draw.integers(0, 3, GALLERY),
        "gallery_cameras": draw.integers(1, 7, GALLERY),
    }


_SHAPES = st.sampled_from(
    [(), (0,), (5,), (8,), (5, 3), (8, 3), (5, 2), (0, 3), (5, 0), (5, 3, 1), (1, 3)]
)
_KINDS = st.sampled_from(
    ["f4", "f8", "f2", "i8", "i4", "u1", "u8", "bool", "c16", "U3", "S2", "O", "M8[s]", ">f4"]
)
_VALUES = st.sampled_from([0, 1, -1, np.nan, np.inf, 1e38, 1e-45, 2**63 - 1, "random"])


@st.composite
def arrays(draw):
    """Draw an array of any shape, kind and value."""
    shape, kind, value = draw(_SHAPES), draw(_KINDS), draw(_VALUES)
    if value == "random":
        value = np.random.default_rng(draw(st.integers(0, 9))).standard_normal(shape)
    if kind == "O":
        return np.full(shape, {1: 2}, object)
    with np.errstate(all="ignore"):
        plain = np.zeros(shape) + (value if kind not in ("U3", "S2", "M8[s]") else 1)
        return plain.astype("i8" if kind == "M8[s]" else kind).astype(kind)


cases = st.fixed_dictionaries(
    {
        "changes": st.dictionaries(
            st.sampled_from(NAMES), st.one_of(st.none(), arrays()), max_size=3
        ),
        "damage": st.sampled_from(DAMAGES),
        "at": st.floats(0, 1),
        "compressed": st.booleans(),
        "distances": st.one_of(st.none(), st.none(), arrays(), st.just("good")),
        "protocol": st.sampled_from(PROTOCOLS),
        "metric": st.sampled_from(["cosine", "cosine", "euclidean", "dot"]),
        "max_rank": st.sampled_from([20, 1, 0, -1, 10**9]),
    }
)


def check_features(case) -> str | None:
    """Score a changed file: a result of true fractions, or a refusal."""
    with tempfile.TemporaryDirectory() as folder:
        path, distances = Path(folder, "features.npz"), None
        _write(path, case)
        if case["distances"] is not None:
            distances = str(Path(folder, "distances.npy"))
            matrix = case["distances"]
            matrix = np.ones((QUERIES, GALLERY)) if isinstance(matrix, str) else matrix
            np.save(distances, matrix, allow_pickle=True)
        options = {name: case[name] for name in ("protocol", "metric", "max_rank")}
        results = []
        found = refusal(lambda: results.append(score(str(path), distances=distances, **options)))
    for result in results:
        assert 0 <= result["mAP"] <= 1 and 0 <= result["mINP"] <= 1
        assert all(0 <= value <= 1 for value in result["cmc"].values())
        assert 1 <= result["valid_queries"] <= result["queries"]
    return found


def _write(path, case):
    contents = {k: v for k, v in (good() | case["changes"]).items() if v is not None}
    damage = case["damage"]
    if damage == "folder":
        path.mkdir()
    elif damage == "text":
        path.write_text("query_ids: 1, 2, 3")
    elif damage == "bomb":
        _write_bomb(path)
    elif damage == "npy":
        with open(path, "wb") as file:
            np.save(file, np.ones(3))
    elif damage != "missing":
        path.write_bytes(_damaged(_bytes(contents, case["compressed"]), damage, case["at"]))


def _bytes(contents, compressed):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **contents)
    return buffer.getvalue()


def _damaged(data, damage, at):
    place = min(int(at * len(data)), len(data) - 1)
    if damage == "cut":
        return data[:place]
    if damage == "flipped":
        return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
    return b"" if damage == "empty" else data


def _write_bomb(path):
    """Write an archive whose array claims more numbers than any memory holds."""
    header = io.BytesIO()
    claim = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(1000))
