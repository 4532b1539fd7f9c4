"""The pages: what is in them, what cannot get out of them, and how Chromium shows them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.browser import Page, chromium, needs_chromium
from support.toys import toy_model, write_people

from dmcf_jax.data.image_store import ImageStore
from dmcf_jax.data.prepare_input import normalise
from dmcf_jax.evaluation.evaluate_protocol import evaluate_protocols
from dmcf_jax.evaluation.nearest import nearest
from dmcf_jax.evaluation.protocols import find_protocol, queries_and_gallery
from dmcf_jax.evaluation.results import result_as_dict
from dmcf_jax.methods.network.pool import pool
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.html.evaluation_page import Names, errors_by_camera, evaluation_page
from dmcf_jax.reports.html.search_page import search_page
from dmcf_jax.reports.query_choice import best_and_worst
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.explain import explain
from dmcf_jax.retrieval.model import model_of
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.top_k import rank
from dmcf_jax.runs.load import TrainedModel

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
SAME = ("identity", "camera")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A search among invented files, one of whose identities and cameras looks like HTML."""
    root = write_people(tmp_path_factory.mktemp("people"))
    model, out = toy_model(), tmp_path_factory.mktemp("embeddings")
    sides = [
        embed_pictures(model, list_images(root, kind), out / kind)
        for kind in ("infrared", "visible")
    ]
    scores, rows = rank(*(side.read() for side in sides), 5)
    names = sides[1].labels(range(8))
    for label in names.values():
        label["camera"] = {"ann": "2", "bo": "10"}.get(label["identity"], HOSTILE)
    results = []
    for number, label in sides[0].labels(range(8)).items():
        matches = [
            {"rank": n, "score": float(score), **names[int(row)]}
            for n, (score, row) in enumerate(zip(scores[number], rows[number], strict=True), 1)
        ]
        results.append(label | {"matches": matches})
    results[0]["identity"] = results[0]["matches"][0]["identity"] = HOSTILE
    results[1]["matches"][0]["path"] = "visible/gone.png"
    about = {"source": HOSTILE, "pictures": 8}
    page = {"model": {"source": "toy", "fingerprint": "a" * 64}, "gallery": about, "exact": True}
    return page | {"results": results}, root


@pytest.fixture(scope="module")
def written(found, tmp_path_factory):
    results, root = found
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(search_page(results, root, root, 9), encoding="utf-8")
    return file


def test_the_page_holds_every_match_and_fetches_nothing(found, written):
    page, (results, _) = Page(written.read_text()), found
    figures = [attributes for attributes in page.all("figure") if "data-camera" in attributes]
    expected = [match["camera"] for result in results["results"] for match in result["matches"]]
    assert [figure["data-camera"] for figure in figures] == expected
    pictures = page.all("img")
    assert len(pictures) == 8 + 40 - 1 and "no picture" in page.texts
    assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in pictures)
    assert not page.all("link") and not page.all("a") and not page.all("iframe")
    assert not any(scheme in written.read_text() for scheme in ("http:", "https:", "url("))
    assert any(text.startswith("8 of 9 queries, searched in 8 pictures") for text in page.texts)
    signs = [attributes["class"] for attributes in figures]
    for (query, match), sign in zip(
        [(q, m) for q in results["results"] for m in q["matches"]], signs, strict=True
    ):
        assert sign == ("right" if query["identity"] == match["identity"] else "wrong")


def test_names_that_look_like_html_are_only_shown(written):
    page = Page(written.read_text())
    assert len(page.all("script")) == 1 and all("onerror" not in a for _, a in page.tags)
    assert any(HOSTILE in text for text in page.texts)
    boxes = [attributes["data-camera"] for attributes in page.all("input")]
    assert boxes == ["2", "10", HOSTILE]
    (policy,) = [a["content"] for a in page.all("meta") if "content" in a and "src" in a["content"]]
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy


@needs_chromium
@pytest.mark.slow
def test_chromium_shows_the_matches_and_runs_no_name(written, tmp_path):
    page = Page(chromium(tmp_path, "--dump-dom", written.as_uri()))
    matches = [attributes for attributes in page.all("figure") if "data-camera" in attributes]
    assert len(matches) == 40 and not any("hidden" in attributes for attributes in matches)
    assert all("hidden" in a for a in page.all("p") if "none" in a.get("class", "").split())
    assert len(page.all("script")) == 1


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_chromium_draws_the_page_on_a_phone(written, tmp_path, scheme):
    shot = tmp_path / "shot.png"
    chosen = f"--blink-settings=preferredColorScheme={('dark', 'light').index(scheme)}"
    chromium(tmp_path, chosen, "--window-size=500,1200", f"--screenshot={shot}", written.as_uri())
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert pixels.shape == (1200, 500, 3)
    ground = {"light": (246, 246, 244), "dark": (23, 24, 26)}[scheme]
    edges = pixels[:, [0, 1, -2, -1]]
    # Nothing reaches into the margins, so nothing is wider than the phone.
    np.testing.assert_array_equal(edges, np.broadcast_to(ground, edges.shape))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000  # pictures were drawn


def invented_split():
    draw = np.random.default_rng(0)
    n = 60
    identity, camera = draw.integers(0, 6, n), draw.integers(1, 4, n)
    vectors = draw.standard_normal((n, 8)) + 2 * np.eye(8)[identity]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    paths = np.array([f"{row}.png" for row in range(n)])
    images = draw.integers(0, 256, (n, 16, 8, 3), np.uint8)
    labels = (identity.astype(np.int32), camera.astype(np.int32), np.arange(n, dtype=np.int32) % 2)
    return ImageStore(images, *labels, paths), vectors.astype(np.float32)


@pytest.mark.parametrize("name", ["plain/visible-to-infrared", "llcm/infrared-to-visible"])
def test_ranked_lists_are_those_of_a_plain_loop(name):
    store, vectors = invented_split()
    protocol = find_protocol(name)
    ranked = nearest(protocol, vectors, store, 4)
    ignores_own = protocol.ignore == "same-identity-same-camera"
    side = MODALITIES.index(name.split("/")[1].split("-")[0])
    assert set(store.modality[ranked.queries]) == {side}
    gallery = queries_and_gallery(protocol, store, 0)[1]
    for query, rows, right in zip(ranked.queries, ranked.rows, ranked.right, strict=True):
        left = [row for row in gallery if not (ignores_own and same(store, row, query))]
        best = sorted(left, key=lambda row: -float(vectors[query] @ vectors[row]))
        assert rows.tolist() == best[:4]
        assert right.tolist() == (store.identity[rows] == store.identity[query]).tolist()


def same(store, row, query):
    """Whether two images show one person in one camera."""
    return all(getattr(store, name)[row] == getattr(store, name)[query] for name in SAME)


def test_the_evaluation_page_counts_errors_by_camera():
    store, vectors = invented_split()
    protocols = [find_protocol(f"plain/{a}-to-{b}") for a, b in (MODALITIES, MODALITIES[::-1])]
    lists = [nearest(protocol, vectors, store) for protocol in protocols]
    for ranked in lists:
        counted = {}
        for query, rows in zip(ranked.queries, ranked.rows, strict=True):
            entry = counted.setdefault(int(store.camera[query]), [0, {}])
            entry[0] += 1
            if store.identity[rows[0]] != store.identity[query]:
                source = int(store.camera[rows[0]])
                entry[1][source] = entry[1].get(source, 0) + 1
        found = errors_by_camera(ranked, store.camera)
        assert {camera: list(entry) for camera, entry in found.items()} == counted
        best, worst = best_and_worst(ranked, store.identity, 5)
        assert ranked.average_precision[best[0]] == ranked.average_precision.max()
        people = store.identity[ranked.queries[[*best, *worst]]].tolist()
        assert len(set(people)) == len(people) == 6
    results = [
        result_as_dict(result, step=3, chosen_by="last")
        for result in evaluate_protocols(protocols, vectors, store, verification=True)
    ]
    names = Names({"0": HOSTILE}, {"1": "hall"})
    text = evaluation_page(results, lists, store, names, "toy")
    page = Page(text)
    assert len(page.all("script")) == 1 and len(page.all("polyline")) == 2 + 2
    assert any(HOSTILE in part for part in page.texts) and "hall" in page.texts
    assert f"{100 * results[0]['mean']['mAP']:.2f} %" in page.texts
    verified = [result["mean"]["verification"] for result in results]
    assert all(f"{100 * rates['eer']:.2f}" in page.texts for rates in verified)
    assert sum("every query's person is in the gallery" in part for part in page.texts) == 1
    assert len(page.all("section")) == 12


@pytest.fixture(scope="module")
def tiny_model():
    return model_of(tiny.model({"data.name": "own"}), "tiny")


@pytest.mark.slow
def test_shares_of_the_levels_add_up_to_the_score_and_maps_to_the_shares(tiny_model):
    draw = np.random.default_rng(1)
    query, match = draw.integers(0, 256, (2, 48, 32, 3), np.uint8)
    found = explain(tiny_model, query, match, ("infrared", "visible"))
    sides = tiny_model.embed([query], "infrared"), tiny_model.embed([match], "visible")
    assert found.score == pytest.approx(float((sides[0] * sides[1]).sum()), abs=1e-5)
    assert [level.name for level in found.levels] == ["lowest", "low"]
    widths = {"lowest": slice(0, 8), "low": slice(8, 32)}
    for level in found.levels:
        part = sides[0][0, widths[level.name]] @ sides[1][0, widths[level.name]]
        assert level.share == pytest.approx(float(part), abs=1e-5)
        assert level.query.shape == level.match.shape == (48, 32, 3)
    check_against_differences(tiny_model, query, match, found)


def check_against_differences(model, query, match, found):
    """Brightening one place of a level changes the level's dot product by what its map says."""
    network = model.trained.model
    variables = jax.tree.map(jnp.asarray, model.trained.variables)

    @jax.jit
    def parts(maps):
        def heads(module, maps):
            pooled = {f.name: pool(maps[f.stage], f) for f in module.features}
            return [module.heads[name].embed(value, False)[0] for name, value in pooled.items()]

        return jnp.concatenate(network.apply(variables, maps, method=heads))

    def maps_of(image, modality):
        def maps(image):
            return network.apply(variables, normalise(image), modality, method="feature_maps")

        maps = jax.jit(maps)(image[None])
        return {stage: maps[stage] for stage in ("layer1", "layer2")}

    asked, other = maps_of(query, "infrared"), parts(maps_of(match, "visible"))
    plain, other = np.asarray(parts(asked), np.float64), np.asarray(other, np.float64)
    lengths = np.linalg.norm(plain) * np.linalg.norm(other)
    worth = found.levels[1].query_map
    y, x = np.unravel_index(np.argmax(np.abs(worth)), worth.shape)
    step = 3e-4
    brighter = asked | {"layer2": asked["layer2"].at[0, y, x].multiply(jnp.float32(1 + step))}
    change = (np.asarray(parts(brighter), np.float64) - plain)[8:] @ other[8:] / lengths / step
    assert abs(worth[y, x]) > 1e-3 and change == pytest.approx(worth[y, x], rel=0.05)


def test_a_run_and_its_copy_have_one_fingerprint_and_other_weights_another(tiny_model):
    trained = tiny_model.trained
    again = model_of(trained, "elsewhere")
    assert again.fingerprint == tiny_model.fingerprint and again.dimension == 32
    variables = jax.tree.map(np.copy, trained.variables)
    variables["params"]["heads_G1"]["reduction"]["conv"]["kernel"][0, 0] += 1e-3
    other = TrainedModel(trained.config, trained.model, variables, 0, "last")
    assert model_of(other, "tiny").fingerprint != tiny_model.fingerprint
