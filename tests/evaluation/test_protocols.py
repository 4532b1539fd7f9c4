"""Galleries against published hashes and separately coded recipes; metrics against the loop."""

import dataclasses
import hashlib
import os
import random

import numpy as np
import pytest
import scipy.io
from support.literal_evaluation import cosine_distances, evaluate
from support.sysu_mm01_counts import COUNTS

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.evaluate_protocol import evaluate_protocols
from dmcf_jax.evaluation.galleries import hash_paths
from dmcf_jax.evaluation.permutations import find_permutations, read_permutations
from dmcf_jax.evaluation.protocols import find_protocol, list_protocols, queries_and_gallery
from dmcf_jax.evaluation.ranking.query_expansion import QueryExpansion
from dmcf_jax.evaluation.ranking.reranking import KReciprocal

OFFICIAL = os.path.join(
    os.path.dirname(__file__), *[os.pardir] * 3, "shared", "protocol", "rand_perm_cam.mat"
)
needs_official = pytest.mark.skipif(
    not os.path.exists(OFFICIAL), reason="../shared/protocol/rand_perm_cam.mat is not here"
)


@dataclasses.dataclass(frozen=True)
class Images:
    identity: np.ndarray
    camera: np.ndarray
    modality: np.ndarray
    path: np.ndarray


def images(items):
    """`items`: (identity, camera, modality, path), stored in order of path as records are."""
    items = sorted(items, key=lambda item: item[3])
    return Images(*(np.array(column) for column in zip(*items, strict=True)))


def sysu_images(identities):
    return images(
        (identity, camera, int(camera in (3, 6)), f"cam{camera}/{identity:04d}/{n:04d}.jpg")
        for identity in identities
        for camera, count in enumerate(COUNTS[identity], start=1)
        for n in range(1, count + 1)
    )


@pytest.fixture(scope="module")
def sysu():
    return sysu_images(COUNTS)


@pytest.fixture(scope="module")
def sysu_part():
    """Every fourth identity: as much as a comparison of metrics needs."""
    return sysu_images(sorted(COUNTS)[::4])


def llcm(seed=0):
    generator = np.random.default_rng(seed)
    items = []
    for identity in range(0, 40):
        for modality, cameras in ((0, range(1, 10)), (1, (1, 2, 4, 5, 6, 7, 8, 9))):
            for camera in generator.choice(list(cameras), 2, replace=False):
                for n in range(generator.integers(1, 5)):
                    folder = ("test_vis", "test_nir")[modality]
                    name = f"{folder}/cam{camera}/{identity:04d}/{n}.jpg"
                    items.append((identity, int(camera), modality, name))
    return images(items)


def write_permutations(path, counts, seed=0):
    """Write a file with the official structure, for identities up to the largest."""
    generator = np.random.default_rng(seed)
    cells = np.empty((6, 1), object)
    for camera in range(6):
        cell = np.empty((max(counts), 1), object)
        for identity in range(1, len(cell) + 1):
            n = counts.get(identity, (0,) * 6)[camera]
            rows = [generator.permutation(n) + 1 for _ in range(10)]
            cell[identity - 1, 0] = np.array(rows, np.uint8).reshape(10, n)
        cells[camera, 0] = cell
    scipy.io.savemat(path, {"rand_perm_cam": cells})
    return cells


@pytest.fixture(scope="module")
def permutation_file(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("permutations") / "rand_perm_cam.mat")
    return path, write_permutations(path, COUNTS)


def gallery_paths(name, metadata, trial, permutations=None):
    _, rows = queries_and_gallery(find_protocol(name), metadata, trial, permutations)
    return [str(path) for path in metadata.path[rows]]


@pytest.mark.parametrize(
    ("mode", "number", "digest"),
    (
        ("all", 301, "3060dd2f15c945bea03711f5d07614f1327ab61fb98b895aee50323e1eed9f2a"),
        ("indoor", 112, "9cc52659200a1593b76c98c12857d925a97c34ef0dcadfbb82c3167bffe1db1e"),
    ),
)
def test_trial_0_of_the_seeded_galleries_is_the_published_one(sysu, mode, number, digest):
    paths = gallery_paths(f"sysu_mm01/{mode}/single/python-seeded", sysu, 0)
    assert len(paths) == number
    assert hash_paths(paths) == digest


@needs_official
def test_trial_0_of_the_official_gallery_is_the_published_one(sysu):
    permutations = read_permutations(OFFICIAL)
    paths = gallery_paths("sysu_mm01/all/single/official", sysu, 0, permutations)
    digest = "ab17d1f53aefeb03a8442a817dab3d2eb24eed83ff7360c2e2d815f71c9ae722"
    assert hash_paths(paths) == digest
    assert len(gallery_paths("sysu_mm01/all/multi/official", sysu, 9, permutations)) == 3010


@pytest.mark.parametrize("trial", range(10))
@pytest.mark.parametrize(("mode", "cameras"), (("all", (1, 2, 4, 5)), ("indoor", (1, 2))))
def test_every_seeded_gallery_is_the_recipe_of_global_random(sysu, mode, cameras, trial):
    for shots, word in ((1, "single"), (10, "multi")):
        random.seed(trial)
        expected = []
        for name in sorted(f"{identity:04d}" for identity in COUNTS):
            for camera in cameras:
                files = [f"{n + 1:04d}.jpg" for n in range(COUNTS[int(name)][camera - 1])]
                if not files:
                    continue
                picked = [random.choice(files)] if shots == 1 else random.sample(files, shots)
                expected += [f"cam{camera}/{name}/{file}" for file in picked]
        paths = gallery_paths(f"sysu_mm01/{mode}/{word}/python-seeded", sysu, trial)
        assert paths == expected
        digest = hashlib.sha256("\n".join(expected).encode()).hexdigest()
        assert hash_paths(paths) == digest


def test_drawing_leaves_the_global_generator_alone(sysu, monkeypatch):
    def refuse(*_):
        raise AssertionError("the global generator was used")

    for name in ("seed", "choice", "sample"):
        monkeypatch.setattr(random, name, refuse)
    assert len(gallery_paths("sysu_mm01/all/multi/python-seeded", sysu, 0)) == 3010


@pytest.mark.parametrize("trial", (0, 1, 9))
@pytest.mark.parametrize(("word", "shots"), (("single", 1), ("multi", 10)))
def test_official_galleries_are_the_first_entries_of_the_row(
    sysu, permutation_file, word, shots, trial
):
    path, cells = permutation_file
    expected = []
    for camera in (1, 2, 4, 5):
        for identity in sorted(COUNTS):
            row = cells[camera - 1, 0][identity - 1, 0][trial]
            expected += [f"cam{camera}/{identity:04d}/{m:04d}.jpg" for m in row[:shots]]
    name = f"sysu_mm01/all/{word}/official"
    assert gallery_paths(name, sysu, trial, read_permutations(path)) == expected


@pytest.mark.parametrize("trial", (0, 7))
def test_llcm_draws_one_image_for_each_identity_and_camera(trial):
    metadata = llcm()
    random.seed(trial)
    expected = []
    for identity in range(40):
        for camera in range(1, 10):
            folder = f"test_vis/cam{camera}/{identity:04d}/"
            files = sorted(path for path in metadata.path if path.startswith(folder))
            if files:
                expected.append(random.choice(files))
    assert gallery_paths("llcm/infrared-to-visible", metadata, trial) == expected


def test_inverted_llcm_asks_with_the_drawn_images():
    metadata = llcm()
    usual = find_protocol("llcm/visible-to-infrared")
    inverted = find_protocol("llcm/visible-to-infrared/inverted")
    _, drawn = queries_and_gallery(usual, metadata, 3)
    queries, gallery = queries_and_gallery(inverted, metadata, 3)
    np.testing.assert_array_equal(queries, drawn)
    assert set(gallery) == set(np.flatnonzero(metadata.modality == 0))


def test_sysu_queries_are_all_infrared_images_in_order(sysu):
    for mode in ("all", "indoor"):
        protocol = find_protocol(f"sysu_mm01/{mode}/single/python-seeded")
        rows, _ = queries_and_gallery(protocol, sysu, 0)
        assert len(rows) == 3803
        keys = [(sysu.identity[r], sysu.camera[r], sysu.path[r]) for r in rows]
        assert keys == sorted(keys)
        assert set(sysu.camera[rows]) == {3, 6}


@pytest.mark.parametrize(("mode", "valid"), (("all", 3803), ("indoor", 2208)))
def test_sysu_counts_of_valid_queries_are_the_published_ones(sysu, mode, valid):
    embeddings = random_embeddings(0, len(sysu.path), 8)
    protocol = find_protocol(f"sysu_mm01/{mode}/single/python-seeded")
    result = evaluate_one(protocol, embeddings, sysu, trials=1)
    assert result.trials[0].metrics.queries == 3803
    assert result.trials[0].metrics.valid_queries == valid


def random_embeddings(seed, rows, width):
    return np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)


def evaluate_one(protocol, embeddings, metadata, trials=None, **options):
    """Evaluate one protocol, only its first `trials`."""
    protocol = dataclasses.replace(protocol, trials=trials or protocol.trials)
    return evaluate_protocols([protocol], embeddings, metadata, **options)[0]


def literal(protocol, metadata, embeddings, trial, permutations):
    q, g = queries_and_gallery(protocol, metadata, trial, permutations)
    return evaluate(
        cosine_distances(embeddings[q], embeddings[g]),
        metadata.identity[q],
        metadata.identity[g],
        metadata.camera[q],
        metadata.camera[g],
        ignore=protocol.ignore,
        cmc=protocol.cmc,
    )


def assert_metrics(metrics, truth):
    np.testing.assert_allclose(metrics.cmc, truth["cmc"], atol=1e-6)
    assert metrics.mAP == pytest.approx(truth["mAP"], abs=1e-6)
    assert metrics.mINP == pytest.approx(truth["mINP"], abs=1e-6)
    assert metrics.valid_queries == truth["valid"]


@pytest.mark.parametrize("name", [p.name for p in list_protocols() if p.dataset == "sysu_mm01"])
def test_sysu_metrics_agree_with_the_literal_loop(sysu_part, permutation_file, name):
    embeddings = random_embeddings(5, len(sysu_part.path), 24)
    protocol = find_protocol(name)
    permutations = read_permutations(permutation_file[0])
    result = evaluate_one(protocol, embeddings, sysu_part, permutations=permutations, trials=5)
    assert result.trials[4].trial == 4
    truth = literal(protocol, sysu_part, embeddings, 4, permutations)
    assert_metrics(result.trials[4].metrics, truth)


def two_modalities(seed=0, identities=15):
    generator = np.random.default_rng(seed)
    return images(
        (i, m + 1, m, f"{'vt'[m]}/{i}/{n}.bmp")
        for i in range(identities)
        for m in (0, 1)
        for n in range(generator.integers(1, 9))
    )


@pytest.mark.parametrize("name", [p.name for p in list_protocols() if p.dataset != "sysu_mm01"])
def test_other_metrics_agree_with_the_literal_loop(name):
    cameras = name.startswith(("llcm", "market1501"))
    metadata = llcm() if cameras else two_modalities()
    embeddings = random_embeddings(6, len(metadata.path), 10)
    protocol = find_protocol(name)
    result = evaluate_one(protocol, embeddings, metadata)
    assert len(result.trials) == protocol.trials
    for trial in result.trials:
        truth = literal(protocol, metadata, embeddings, trial.trial, None)
        assert_metrics(trial.metrics, truth)


def test_shared_distances_change_no_bit(sysu_part):
    embeddings = random_embeddings(7, len(sysu_part.path), 40)
    names = [f"sysu_mm01/{mode}/multi/python-seeded" for mode in ("all", "indoor")]
    protocols = [dataclasses.replace(find_protocol(name), trials=2) for name in names]
    shared = evaluate_protocols(protocols, embeddings, sysu_part)
    streamed = evaluate_protocols(protocols, embeddings, sysu_part, matrix_bytes=0)
    for one, other in zip(shared, streamed, strict=True):
        for a, b in zip(one.trials, other.trials, strict=True):
            np.testing.assert_array_equal(a.metrics.cmc, b.metrics.cmc)
            assert (a.metrics.mAP, a.metrics.mINP) == (b.metrics.mAP, b.metrics.mINP)
            assert a.gallery_hash == b.gallery_hash


@pytest.mark.slow
def test_options_are_named_in_the_result():
    metadata = two_modalities()
    embeddings = random_embeddings(6, len(metadata.path), 10)
    result = evaluate_one(
        find_protocol("plain/infrared-to-visible"),
        embeddings,
        metadata,
        reranking=KReciprocal(),
        query_expansion=QueryExpansion(),
        options=("flip",),
    )
    assert result.options == (
        "flip",
        "average query expansion (k=5)",
        "k-reciprocal re-ranking (k1=20, k2=6, lambda=0.3)",
    )


def test_regdb_carries_the_number_of_its_split():
    metadata = two_modalities()
    embeddings = np.ones((len(metadata.path), 3), np.float32)
    protocol = find_protocol("regdb/thermal-to-visible")
    result = evaluate_one(protocol, embeddings, metadata, first_trial=7)
    assert [trial.trial for trial in result.trials] == [7]


def test_bad_embeddings_are_named_by_path():
    metadata = two_modalities()
    embeddings = np.ones((len(metadata.path), 3), np.float32)
    embeddings[4] = 0
    with pytest.raises(UserError) as error:
        evaluate_one(find_protocol("plain/visible-to-infrared"), embeddings, metadata)
    assert error.value.about == (str(metadata.path[4]),)


def test_a_mistyped_protocol_gets_a_suggestion():
    with pytest.raises(UserError, match="Did you mean .*regdb/visible-to-thermal") as error:
        find_protocol("regdb/visible-to-termal")
    assert error.value.about == ("regdb/visible-to-termal",)


def test_trials_out_of_range_and_missing_images_are_refused():
    metadata = two_modalities()
    with pytest.raises(UserError) as error:
        queries_and_gallery(find_protocol("regdb/visible-to-thermal"), metadata, 1)
    assert error.value.about == ("trial",)
    with pytest.raises(UserError, match="infrared images of cameras 3, 6") as error:
        queries_and_gallery(find_protocol("sysu_mm01/all/single/official"), metadata, 0)
    assert error.value.about == ("protocol",)


def test_protocol_names_are_unique_and_complete():
    names = [protocol.name for protocol in list_protocols()]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("sysu_mm01/") for name in names) == 8


def test_a_missing_permutation_file_is_reported_with_the_cure(tmp_path, sysu):
    for arguments in ({"source": str(tmp_path)}, {"path": str(tmp_path / "x.mat")}, {}):
        with pytest.raises(UserError, match="wuancong/SYSU-MM01") as error:
            find_permutations(**arguments)
        assert error.value.about == ("permutations",)
    with pytest.raises(UserError, match="wuancong/SYSU-MM01") as error:
        queries_and_gallery(find_protocol("sysu_mm01/all/multi/official"), sysu, 0)
    assert error.value.about == ("permutations",)


def test_the_permutation_file_is_found_in_exp(tmp_path):
    os.mkdir(tmp_path / "exp")
    write_permutations(tmp_path / "exp" / "rand_perm_cam.mat", {1: (3, 0, 2, 1, 1, 1)})
    found = find_permutations(source=str(tmp_path))
    assert found.images(1, 1).shape == (10, 3)
    assert found.images(2, 1).shape == (10, 0)


def test_damaged_permutation_files_are_refused(tmp_path, permutation_file):
    path = tmp_path / "rand_perm_cam.mat"
    with open(permutation_file[0], "rb") as whole:
        contents = whole.read()
    for damaged in (b"", b"no matlab", contents[:5000]):
        path.write_bytes(damaged)
        with pytest.raises(UserError) as error:
            read_permutations(str(path))
        assert error.value.about == (str(path),)
    scipy.io.savemat(path, {"other": np.ones(3)})
    with pytest.raises(UserError, match="'other'") as error:
        read_permutations(str(path))
    assert error.value.about == (str(path),)
    cells = write_permutations(path, {1: (3, 0, 2, 1, 1, 1), 2: (1, 1, 1, 1, 1, 1)})
    cells[0, 0][0, 0][4] = 1
    cells[5, 0][1, 0] = np.ones((3, 1), np.uint8)
    scipy.io.savemat(path, {"rand_perm_cam": cells})
    with pytest.raises(UserError) as error:
        read_permutations(str(path))
    assert error.value.about == ("camera 1, identity 1", "camera 6, identity 2")
    assert "a row is not a permutation of 1..3" in error.value.problems[0].text
    assert "expected 10 rows" in error.value.problems[1].text


def test_permutations_of_other_data_are_refused(tmp_path, sysu):
    path = str(tmp_path / "rand_perm_cam.mat")
    write_permutations(path, {6: (5, 29, 20, 20, 20, 20)})
    with pytest.raises(UserError, match="42 images in the data, 5 in the file") as error:
        gallery_paths("sysu_mm01/all/single/official", sysu, 0, read_permutations(path))
    assert error.value.about[0] == "identity 6, camera 1"
