"""Embeddings and indexes belong to what made them: nothing stale is used as fresh."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.toys import toy_model, write_people
from support.trees import noise

from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.add_pictures import add_pictures
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.embedding_set import EmbeddingSet
from dmcf_jax.retrieval.equal_embeddings import equal_embeddings
from dmcf_jax.retrieval.faiss_index import index_top_k, search_index
from dmcf_jax.retrieval.galleries import Galleries
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.top_k import top_k
from dmcf_jax.search import SearchOptions, _check, queries_in_gallery, sources


@pytest.fixture
def people(tmp_path):
    return write_people(tmp_path / "people")


def visible(root):
    return list_images(root, "visible")


def by_path(embeddings):
    labels = embeddings.labels(range(len(embeddings)))
    return {labels[row]["path"]: vector for row, vector in enumerate(embeddings.read())}


def turn(path):
    Image.open(path).transpose(Image.Transpose.ROTATE_180).save(path)


def test_pictures_that_changed_are_not_taken_for_those_embedded(people, tmp_path):
    embed_pictures(toy_model(), visible(people), tmp_path / "out")
    embed_pictures(toy_model(calls=[]), visible(people), tmp_path / "out")
    turn(people / "visible/bo/1.png")
    for call in (embed_pictures, add_pictures):
        with pytest.raises(UserError) as error:
            call(toy_model(), visible(people), tmp_path / "out")
        assert error.value.about == ("visible/bo/1.png",)


def test_only_new_pictures_are_embedded_when_added(people, tmp_path):
    embed_pictures(toy_model(), visible(people), tmp_path / "out")
    noise(people / "visible/ann/2.png", 50)
    noise(people / "visible/zed/0.png", 51)
    with pytest.raises(UserError, match="--add") as error:
        embed_pictures(toy_model(), visible(people), tmp_path / "out")
    assert error.value.about == ("number of pictures", "list of pictures")
    calls = []
    added = add_pictures(toy_model(calls=calls), visible(people), tmp_path / "out")
    assert sum(calls) == 64  # one batch
    whole = by_path(embed_pictures(toy_model(), visible(people), tmp_path / "whole"))
    found = by_path(added)
    assert len(added) == 10 and found.keys() == whole.keys()
    assert all((found[path] == whole[path]).all() for path in whole)
    assert not (tmp_path / "out/adding").exists()
    # It is as if all had been embedded at once.
    assert len(embed_pictures(toy_model(calls=calls), visible(people), tmp_path / "out")) == 10
    assert len(add_pictures(toy_model(calls=calls), visible(people), tmp_path / "out")) == 10
    assert len(calls) == 1


def test_an_interrupted_addition_changes_nothing_and_is_resumed(people, tmp_path):
    first = embed_pictures(toy_model(), visible(people), tmp_path / "out").read()
    noise(people / "visible/zed/0.png", 51)

    def fail(pixels, modality):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_pictures(toy_model(embed=fail), visible(people), tmp_path / "out")
    np.testing.assert_array_equal(EmbeddingSet(tmp_path / "out").read(), first)
    noise(people / "visible/zed/1.png", 52)
    assert len(add_pictures(toy_model(), visible(people), tmp_path / "out")) == 10


@pytest.mark.parametrize("fault", ["gone", "model", "folder"])
def test_what_cannot_be_added_to_is_refused(people, tmp_path, fault):
    embed_pictures(toy_model(), visible(people), tmp_path / "out")
    model, images = toy_model(), visible(people)
    if fault == "gone":
        images.rows.pop(0)
        about = ("visible/ann/0.png",)
    elif fault == "model":
        model, about = toy_model("b" * 64), ("model",)
    else:
        images = visible(shutil.copytree(people, tmp_path / "copy"))
        about = ("folder of the pictures",)
    with pytest.raises(UserError) as error:
        add_pictures(model, images, tmp_path / "out")
    assert error.value.about == about
    assert len(EmbeddingSet(tmp_path / "out")) == 8


def test_several_galleries_are_searched_as_one(people, tmp_path):
    other = tmp_path / "other"
    for frame in range(2):
        noise(other / f"visible/eve/{frame}.png", 900 + frame)
    sets = [
        embed_pictures(toy_model(), visible(root), tmp_path / name)
        for root, name in ((people, "a"), (other, "b"))
    ]
    both, queries = Galleries(sets), sets[1].read()
    scores, rows = top_k(queries, both.blocks(), 1)
    assert len(both) == 10 and rows[:, 0].tolist() == [8, 9]
    labels = both.labels(rows[:, 0].tolist())
    assert labels[8]["path"] == f"{other}/visible/eve/0.png" and labels[8]["identity"] == "eve"
    assert both.missing(labels.values()) == []
    with pytest.raises(UserError) as error:
        both.alone()
    assert error.value.about == ("--index",)


def test_a_gallery_whose_pictures_were_moved_is_found_by_its_new_root(people, tmp_path):
    found = embed_pictures(toy_model(), visible(people), tmp_path / "out")
    people.rename(tmp_path / "moved")
    labels = list(found.labels(range(8)).values())
    assert len(Galleries([found]).missing(labels)) == 8
    assert Galleries([found], tmp_path / "moved").missing(labels) == []


@pytest.mark.parametrize(
    ("paths", "roots", "themselves"),
    [
        (("a.png", "b.png"), ("/x", "/x"), 1),
        (("y/a.png", "b.png"), ("/x", "/x/y"), 1),  # a folder and one above it
        (("a.png", "b.png"), ("/x", "/z"), 0),
    ],
)
def test_queries_that_find_themselves_are_counted(paths, roots, themselves):
    matches = [{"path": "a.png"}, {"path": "c.png"}]
    results = [{"path": path, "matches": matches} for path in paths] + [
        {"path": "a.png", "matches": []}
    ]
    assert queries_in_gallery(results, *map(Path, roots)) == themselves


def test_names_of_galleries_are_separated_by_commas_unless_one_holds_them(tmp_path):
    assert sources("a,b") == ["a", "b"]
    (tmp_path / "a,b").mkdir()
    assert sources(f"{tmp_path}/a,b") == [f"{tmp_path}/a,b"]


def test_options_of_an_index_need_one():
    with pytest.raises(UserError) as error:
        _check(SearchOptions("m", "g", "q", index_options="nprobe=4"))
    assert error.value.about == ("--index_options",)


def test_different_pictures_of_equal_embeddings_are_said(tmp_path, capsys):
    for number, value in enumerate((8000, 8100, 8000)):  # the third is a copy of the first
        values = np.full((16, 8), value, np.uint16)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    noise(tmp_path / "other.png", 1)
    found = embed_pictures(toy_model(), list_images(tmp_path, "infrared"), tmp_path / "out")
    assert "1 pictures have exactly" in equal_embeddings(found)
    assert "(0.png = 1.png)" in capsys.readouterr().err
    (tmp_path / "1.png").unlink()
    found = embed_pictures(toy_model(), list_images(tmp_path, "infrared"), tmp_path / "out2")
    assert equal_embeddings(found) is None


@pytest.mark.parametrize("at", [0.02, 0.3, 0.6, 0.86, 0.97, 0.99])
def test_a_damaged_shard_is_a_sentence_wherever_the_damage_is(people, tmp_path, at):
    found = embed_pictures(toy_model(), visible(people), tmp_path / "out")
    path = tmp_path / "out/shard-00000.npz"
    data = bytearray(path.read_bytes())
    for bit in range(8):
        data[int(at * len(data))] ^= 1 << bit
        path.write_bytes(data)
        try:
            found.read(), found.hashes(), found.labels(range(8))
        except UserError as error:
            assert error.about == (str(path),)


@pytest.mark.parametrize("other", ["pictures", "model"])
def test_a_shard_of_other_embeddings_is_not_taken_for_ones_own(people, tmp_path, other):
    embed_pictures(toy_model(), visible(people), tmp_path / "out")
    if other == "pictures":
        turn(people / "visible/bo/1.png")
    model = toy_model("b" * 64, embed=lambda pixels, _: np.ones((len(pixels), 12), np.float32) / 12)
    embed_pictures(toy_model() if other == "pictures" else model, visible(people), tmp_path / "b")
    shutil.copy(tmp_path / "b/shard-00000.npz", tmp_path / "out")  # as a copy that was cut off
    found = EmbeddingSet(tmp_path / "out")
    reads = [found.read, lambda: found.labels([0]), lambda: found.check_modality("visible", "")]
    for read in reads:
        with pytest.raises(UserError) as error:
            read()
        assert error.value.about == (str(tmp_path / "out/shard-00000.npz"),)


def faiss():
    return pytest.importorskip("faiss", reason="faiss is not installed; it is only for --index")


@pytest.mark.parametrize("people_left", [4, 2])
def test_an_index_of_other_embeddings_is_built_anew(people, tmp_path, people_left):
    faiss()
    found = embed_pictures(toy_model(), visible(people), tmp_path / "out")
    queries = found.read()[:3]
    index_top_k(found, queries, 2, "Flat")
    for path in (people / "visible").rglob("*.png"):
        turn(path)
    for name in ("di", "cy")[: 4 - people_left]:
        shutil.rmtree(people / "visible" / name)
    embed_pictures(toy_model(), visible(people), tmp_path / "new")
    shutil.copytree(tmp_path / "new", tmp_path / "out", dirs_exist_ok=True)
    found = EmbeddingSet(tmp_path / "out")
    scores, rows = index_top_k(found, queries, 2, "Flat")
    exact = top_k(queries, found.blocks(), 2)
    np.testing.assert_array_equal(rows, exact[1])
    np.testing.assert_allclose(scores, exact[0], atol=1e-6)
    assert len(list(found.folder.glob("*.faiss"))) == 1  # the stale one is removed


def test_a_damaged_index_is_built_anew(people, tmp_path):
    faiss()
    found = embed_pictures(toy_model(), visible(people), tmp_path / "out")
    expected = index_top_k(found, found.read(), 3, "Flat")[1]
    (file,) = found.folder.glob("*.faiss")
    for damage in (b"garbage", b"", file.read_bytes()[:-20]):
        file.write_bytes(damage)
        np.testing.assert_array_equal(index_top_k(found, found.read(), 3, "Flat")[1], expected)


def test_the_share_of_the_exact_answer_is_measured_and_can_be_raised(people, tmp_path):
    faiss()
    found = embed_pictures(toy_model(), visible(people), tmp_path / "out")
    queries = found.read()
    few = search_index(found, queries, 8, "IVF8,Flat")
    all_lists = search_index(found, queries, 8, "IVF8,Flat", "nprobe=8")
    exact = top_k(queries, found.blocks(), 8)[1]
    literal = np.mean([len(set(a) & set(b)) / 8 for a, b in zip(exact, few.rows, strict=True)])
    assert few.share == pytest.approx(literal) and few.share < all_lists.share == 1.0
    assert few.short == 8 and all_lists.short == 0
    with pytest.raises(UserError) as error:
        search_index(found, queries, 8, "Flat", "probes=8")
    assert error.value.about == ("--index_options",)
