"""Embeddings on disk are scored as the same arrays in an .npz file."""

import numpy as np
import pytest
from support.toys import toy_model, write_people
from support.trees import noise

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.score import score
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.score_embeddings import _cameras, score_embeddings


def embedded(root, modality, out, model=None):
    return embed_pictures(model or toy_model(), list_images(root, modality), out)


def test_folders_give_the_scores_of_the_same_arrays(tmp_path):
    people = write_people(tmp_path / "people")
    arrays = {}
    for side, modality in (("query", "infrared"), ("gallery", "visible")):
        found = embedded(people, modality, tmp_path / side)
        labels = found.labels(range(len(found))).values()
        arrays[f"{side}_features"] = found.read()
        arrays[f"{side}_ids"] = [("ann", "bo", "cy", "di").index(row["identity"]) for row in labels]
    np.savez(tmp_path / "f.npz", **arrays)
    found = score_embeddings(tmp_path / "query", tmp_path / "gallery")
    assert found == score(str(tmp_path / "f.npz")) and found["queries"] == 8


def test_other_models_and_unknown_people_are_refused(tmp_path):
    people = write_people(tmp_path / "people")
    embedded(people, "infrared", tmp_path / "query")
    embedded(people, "visible", tmp_path / "gallery", toy_model("b" * 64))
    noise(tmp_path / "site/visible/a.png", 1)
    embedded(tmp_path / "site", "visible", tmp_path / "nobody")
    for gallery, about in (("gallery", "--gallery"), ("nobody", "--gallery")):
        with pytest.raises(UserError) as error:
            score_embeddings(tmp_path / "query", tmp_path / gallery)
        assert error.value.about == (about,)


@pytest.mark.parametrize("name", ["out", "out/shard-00000.npz"])
def test_embeddings_given_as_features_are_told_their_flags(tmp_path, name):
    embedded(write_people(tmp_path / "people"), "visible", tmp_path / "out")
    with pytest.raises(UserError) as error:
        score(str(tmp_path / name))
    assert error.value.about == ("--features",) and "--gallery=DIR" in str(error.value)


def test_cameras_are_the_numbers_in_their_names():
    assert _cameras(["cam3", "c12", "6"]).tolist() == [3, 12, 6]
    assert _cameras(["hall", "c1"]) is None and _cameras([""]) is None
