"""Search compared with a full sort; embeddings on disk with the model that made them."""

import dataclasses
import json
import shutil
import sys
import zipfile

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from support.literal_evaluation import unit
from support.tiers import slow
from support.toys import toy_model, truth, write_people
from support.trees import noise, write_text

from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.embedding_set import EmbeddingSet, is_embedding_set, shard_path
from dmcf_jax.retrieval.faiss_index import index_top_k
from dmcf_jax.retrieval.model import load_model
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.top_k import rank, top_k
from dmcf_jax.search import SearchOptions, run_search, table


def vectors(rows, width=32, seed=0):
    drawn = np.random.default_rng(seed).standard_normal((rows, width))
    return unit(drawn).astype(np.float32)


def full_sort(queries, gallery, k):
    scores = queries.astype(np.float64) @ gallery.astype(np.float64).T
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, rows, 1), rows


@pytest.mark.parametrize("devices", [1, 3, *slow([8])])
@pytest.mark.parametrize(
    ("gallery", "k", "block"), [(3000, 20, 256), (100, 150, 64), (513, 1, 512)]
)
def test_the_best_are_those_of_a_full_sort(gallery, k, block, devices):
    queries, rows = vectors(37), vectors(gallery, seed=1)
    cuts = np.split(rows, [7, 7, gallery // 2])
    found = top_k(queries, cuts, k, devices=jax.devices()[:devices], block=block)
    expected = full_sort(queries, rows, k)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)


@pytest.mark.parametrize("devices", [1, 4])
def test_equal_scores_rank_in_order_of_row(devices):
    gallery = np.tile(np.eye(4, dtype=np.float32), (500, 1))
    scores, rows = top_k(
        np.eye(4, dtype=np.float32), [gallery], 30, devices=jax.devices()[:devices], block=128
    )
    np.testing.assert_array_equal(rows, np.arange(4)[:, None] + 4 * np.arange(30))
    assert (scores == 1).all()


def test_more_queries_than_fit_at_once(monkeypatch):
    monkeypatch.setattr("dmcf_jax.retrieval.top_k.QUERIES_AT_ONCE", 16)
    queries, gallery = vectors(50), vectors(400, seed=2)
    np.testing.assert_array_equal(rank(queries, gallery, 5)[1], full_sort(queries, gallery, 5)[1])


def test_the_program_for_accelerators_finds_the_same(monkeypatch):
    queries, gallery = vectors(20), vectors(1000, seed=3)
    monkeypatch.setattr("dmcf_jax.retrieval.top_k.by_numpy", lambda device: False)
    found = top_k(queries, [gallery], 10, devices=jax.devices()[:2], block=128)
    np.testing.assert_array_equal(found[1], full_sort(queries, gallery, 10)[1])


def test_what_cannot_be_ranked_is_refused():
    good = vectors(4)
    with pytest.raises(UserError) as error:
        rank(good, good, 0)
    assert error.value.about == ("top",)
    with pytest.raises(UserError, match="32 numbers, the gallery 8") as error:
        rank(good, vectors(4, 8))
    assert error.value.about == ("gallery",)
    bad = good.copy()
    bad[2] *= 3
    with pytest.raises(UserError, match="row 2 has length 3") as error:
        rank(good, bad)
    assert error.value.about == ("gallery",)
    bad[2, 0] = np.nan
    with pytest.raises(UserError, match="row 2 has length nan") as error:
        rank(bad, good)
    assert error.value.about == ("query",)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"))


def expected_of(model, root, paths, modality):
    return truth(np.stack([model.read(root / path) for path in paths]), modality)


def test_embeddings_on_disk_are_those_of_the_model(people, tmp_path):
    model = toy_model()
    found = embed_pictures(model, list_images(people, None), tmp_path / "out", shard_rows=3)
    labels = [found.labels([row])[row] for row in range(len(found))]
    assert len(found) == 16 and len(list((tmp_path / "out").glob("*.npz"))) == 6
    for label, vector in zip(labels, found.read(), strict=True):
        kind, identity, _ = label["path"].split("/")
        assert (label["modality"], label["identity"]) == (kind, identity)
        expected = expected_of(model, people, [label["path"]], kind)[0]
        np.testing.assert_allclose(vector, expected, atol=1e-6)
    assert found.labels(range(16)) == dict(enumerate(labels))
    with np.load(shard_path(tmp_path / "out", 0), allow_pickle=False) as file:
        assert file["embedding"].dtype == np.float32 and file["path"].dtype.kind == "U"


def test_an_interrupted_call_is_resumed(people, tmp_path):
    images = list_images(people, "visible")
    whole = embed_pictures(toy_model(), images, tmp_path / "whole", shard_rows=3).read()
    calls = []

    def fail_at_the_third(pixels, modality):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(len(pixels))
        return truth(pixels, modality)

    broken = toy_model(embed=fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        embed_pictures(broken, images, tmp_path / "out", shard_rows=3)
    with pytest.raises(UserError, match="are not complete") as error:
        EmbeddingSet(tmp_path / "out")
    assert error.value.about == (str(tmp_path / "out"),)
    calls.clear()
    again = embed_pictures(toy_model(calls=calls), images, tmp_path / "out", shard_rows=3)
    assert len(calls) == 1
    np.testing.assert_array_equal(again.read(), whole)


def test_unreadable_pictures_are_all_named_and_skipped_only_on_request(people, tmp_path):
    root = shutil.copytree(people, tmp_path / "people")
    for name in ("ann/0.png", "di/1.png"):
        (root / "visible" / name).write_bytes(b"no picture")
    images = list_images(root, "visible")
    with pytest.raises(UserError) as error:
        embed_pictures(toy_model(), images, tmp_path / "out", shard_rows=2)
    assert error.value.about == ("visible/ann/0.png", "visible/di/1.png")
    assert "--skip_bad" in str(error.value)
    calls = []
    found = embed_pictures(
        toy_model(calls=calls), images, tmp_path / "out", skip_bad=True, shard_rows=2
    )
    assert len(calls) == 2 and len(found) == 6
    assert set(found.manifest["skipped"]) == {"visible/ann/0.png", "visible/di/1.png"}
    paths = [label["path"] for label in found.labels(range(6)).values()]
    expected = expected_of(toy_model(), root, paths, "visible")
    np.testing.assert_allclose(found.read(), expected, atol=1e-6)


def test_embeddings_of_different_models_or_pictures_do_not_mix(people, tmp_path):
    images, out = list_images(people, "visible"), tmp_path / "out"
    found = embed_pictures(toy_model(), images, out)
    other = toy_model("b" * 64)
    with pytest.raises(UserError, match="aaaaaaaaaaaa there, bbbbbbbbbbbb now") as error:
        embed_pictures(other, images, out)
    assert error.value.about == ("model",)
    with pytest.raises(UserError) as error:
        embed_pictures(toy_model(), list_images(people, "infrared"), out)
    assert error.value.about == ("list of pictures",)
    with pytest.raises(UserError, match="12 numbers each") as error:
        found.check_model(other, "--gallery")
    assert error.value.about == ("--gallery",)
    write_text(tmp_path / "busy/file", "mine")
    with pytest.raises(UserError) as error:
        embed_pictures(toy_model(), images, tmp_path / "busy")
    assert error.value.about == ("--out",)


def test_pictures_and_arrays_are_embedded_alike(people):
    model = toy_model()
    paths = sorted((people / "infrared").rglob("*.png"))
    by_path = model.embed(paths, "infrared")
    by_array = model.embed([model.read(path) for path in paths], "infrared")
    np.testing.assert_array_equal(by_path, by_array)
    assert model.embed([], "visible").shape == (0, 12)
    with pytest.raises(UserError, match="'thermal' is not known") as error:
        model.embed(paths, "thermal")
    assert error.value.about == ("modality",)
    with pytest.raises(UserError) as error:
        model.embed([paths[0], people / "gone.png", np.zeros((2, 2), np.uint16)], "visible")
    assert error.value.about == (str(people / "gone.png"), "an array")
    assert "expected uint8 [h, w, 3]" in error.value.problems[1].text


def test_which_pictures_are_listed(people, tmp_path):
    folder = people / "infrared"
    assert [r.path for r in list_images(folder, "infrared").rows][:2] == ["ann/0.png", "ann/1.png"]
    assert {row.modality for row in list_images(people, "infrared").rows} == {"infrared"}
    (row,) = list_images(folder / "bo/1.png", "infrared").rows
    assert (row.path, row.modality) == ("1.png", "infrared")
    noise(tmp_path / "x.png", 1)
    write_text(tmp_path / "list.csv", "path,camera\nx.png,hall\n")
    (row,) = list_images(tmp_path / "list.csv", "visible").rows
    assert (row.path, row.camera, row.identity) == ("x.png", "hall", "")


@pytest.mark.parametrize(
    ("name", "modality", "about", "words"),
    [
        ("infrared", None, "--modality", "add --modality=visible or infrared"),
        ("infrared", "ir", "--modality", "is not known"),
        ("nothing", "visible", "--images", "no visible images"),
        ("gone", "visible", "--images", "does not exist"),
    ],
)
def test_missing_pictures_and_unknown_modalities_are_refused(people, name, modality, about, words):
    (people / "nothing").mkdir(exist_ok=True)
    with pytest.raises(UserError, match=words) as error:
        list_images(people / name, modality)
    assert error.value.about == (about,)


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist") as error:
        load_model(tmp_path / "none")
    assert error.value.about == ("--model",)
    write_text(tmp_path / "file.zip", "text")
    with pytest.raises(UserError, match="is no exported model") as error:
        load_model(tmp_path / "file.zip")
    assert error.value.about == ("--model",)
    with pytest.raises(UserError, match="holds no run"):
        load_model(tmp_path)


def write_export(path):
    """Write an export whose embedding is the mean colour times the weights."""
    batch, height, width = jax.export.symbolic_shape("b, h, w")
    images = jax.ShapeDtypeStruct((batch, height, width, 3), np.uint8)

    def embed(weights, images):
        means = images.astype(np.float32).mean((1, 2)) * weights["scale"]
        return means / jnp.linalg.norm(means, axis=1, keepdims=True)

    weights = {"scale": np.array([1, 2, 3], np.float32)}
    shapes = {"scale": jax.ShapeDtypeStruct((3,), np.float32)}
    program = jax.export.export(jax.jit(embed), platforms=["cpu"])(shapes, images).serialize()
    with zipfile.ZipFile(path, "w") as archive:
        for modality in ("visible", "infrared"):
            archive.writestr(f"{modality}.stablehlo", program)
        archive.writestr("weights.safetensors", safetensors.numpy.save(weights))
        config = {"data.size": [16, 8], "data.filter": "bilinear", "model.width": 4}
        archive.writestr("config.json", json.dumps(config))


def test_an_exported_file_is_ready_for_use(people, tmp_path):
    write_export(tmp_path / "dmcf.zip")
    model = load_model(tmp_path / "dmcf.zip")
    assert (model.size, model.dimension) == ((16, 8), 3)
    assert model.thresholds is None  # of an older version
    paths = sorted((people / "visible").rglob("*.png"))
    means = np.stack([model.read(path).mean((0, 1)) for path in paths]) * [1, 2, 3]
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(model.embed(paths, "visible"), expected, atol=1e-6)
    options = SearchOptions(
        model=str(tmp_path / "dmcf.zip"), gallery=str(people), query=str(people), explain=True,
        query_modality="infrared", gallery_modality="visible", html=str(tmp_path / "a.html"),
    )  # fmt: skip
    with pytest.raises(UserError, match="--explain") as error:
        run_search(options)
    assert error.value.about == ("--model",)
    found = run_search(dataclasses.replace(options, explain=False, html_queries=3))
    assert len(found["results"]) == 8 and len(found["results"][0]["matches"]) == 8
    assert "3 of 8 queries" in (tmp_path / "a.html").read_text()
    assert "| infrared/ann/0.png | 1 | " in table(found)


def test_an_index_without_faiss_says_how_to_get_it(people, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    found = embed_pictures(toy_model(), list_images(people, "visible"), tmp_path / "out")
    with pytest.raises(UserError, match="pip install faiss-cpu") as error:
        index_top_k(found, vectors(2, 12), 3, "Flat")
    assert error.value.about == ("--index",)


def test_a_flat_index_finds_the_exact_best(people, tmp_path):
    pytest.importorskip("faiss", reason="faiss is not installed; it is only for --index")
    found = embed_pictures(toy_model(), list_images(people, "visible"), tmp_path / "out")
    queries = vectors(5, 12)
    for _ in range(2):  # built, then read
        scores, rows = index_top_k(found, queries, 4, "Flat")
        np.testing.assert_array_equal(rows, full_sort(queries, found.read(), 4)[1])
    assert len(list(found.folder.glob("*.faiss"))) == 1 and is_embedding_set(found.folder)
    with pytest.raises(UserError) as error:
        index_top_k(found, queries, 4, "Nonsense")
    assert error.value.about == ("--index",)
