"""Market-1501's rule within one modality: junk, own camera, and who may ask for it."""

import numpy as np
import pytest
from support.literal_evaluation import cosine_distances, evaluate

from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import _refuse_within
from dmcf_jax.evaluation.protocols import find_protocol, list_protocols
from dmcf_jax.evaluation.score import score


@pytest.fixture
def market():
    """Arrays with five people, distractors (0) and junk (-1) in the gallery."""
    draw = np.random.default_rng(0)
    ids = {"query": np.repeat(np.arange(1, 6), 3), "gallery": np.repeat(np.arange(-1, 6), 8)}
    arrays = {f"{side}_ids": labels for side, labels in ids.items()}
    arrays |= {f"{side}_cameras": draw.integers(1, 7, len(ids[side])) for side in ids}
    centres = draw.normal(size=(7, 12))
    for side, labels in ids.items():
        arrays[f"{side}_features"] = centres[labels] + draw.normal(size=(len(labels), 12))
    # Junk that equals queries would be found first.
    arrays["gallery_features"][:3] = arrays["query_features"][::5]
    return arrays


def literal(arrays):
    keep = arrays["gallery_ids"] != -1
    return evaluate(
        cosine_distances(arrays["query_features"], arrays["gallery_features"][keep]),
        arrays["query_ids"],
        arrays["gallery_ids"][keep],
        arrays["query_cameras"],
        arrays["gallery_cameras"][keep],
        ignore="same-identity-same-camera",
    )


@pytest.mark.parametrize("by_distance", [False, True])
def test_scores_are_those_of_the_literal_loop_without_junk(tmp_path, market, by_distance):
    np.savez(tmp_path / "f.npz", **market)
    distances = None
    if by_distance:
        distances = str(tmp_path / "d.npy")
        np.save(distances, cosine_distances(market["query_features"], market["gallery_features"]))
    found, truth = (
        score(str(tmp_path / "f.npz"), "market1501", distances=distances),
        literal(market),
    )
    assert found["mAP"] == pytest.approx(truth["mAP"], abs=1e-6)
    assert found["cmc"]["1"] == pytest.approx(truth["cmc"][0], abs=1e-6)
    assert (found["gallery"], found["valid_queries"]) == (48, truth["valid"])
    assert found["notes"][0].startswith("8 gallery images are junk")


def test_junk_is_a_mistake_elsewhere_and_among_queries(tmp_path, market):
    np.savez(tmp_path / "f.npz", **market)
    with pytest.raises(UserError) as error:
        score(str(tmp_path / "f.npz"), "plain")
    assert error.value.about == ("gallery_ids",)
    market["query_ids"][0] = -1
    np.savez(tmp_path / "g.npz", **market)
    with pytest.raises(UserError) as error:
        score(str(tmp_path / "g.npz"), "market1501/visible")
    assert error.value.about == ("query_ids",)


def test_both_modalities_have_such_a_protocol_and_no_other_is_within_one():
    within = [protocol.name for protocol in list_protocols() if protocol.within]
    assert within == ["market1501/visible", "market1501/infrared"]


@pytest.mark.parametrize(("method", "refused"), [("dmcf", False), ("xqda", True)])
def test_a_metric_between_the_modalities_is_not_scored_within_one(method, refused):
    protocols = [find_protocol("market1501/visible"), find_protocol("regdb/visible-to-thermal")]
    if refused:
        with pytest.raises(UserError) as error:
            _refuse_within(method, protocols)
        assert error.value.about == ("--protocol",)
    else:
        _refuse_within(method, protocols)
