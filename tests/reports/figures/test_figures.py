"""Figures of a tiny run: every number drawn against one computed here, and what is refused."""

import csv
import functools
import io
import json
import math
import shutil
import statistics
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support import tiny
from support.commands import run as run_python

from dmcf_jax.config.build import build
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.prepare_input import normalise
from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
from dmcf_jax.errors import UserError
from dmcf_jax.evaluate import evaluate
from dmcf_jax.methods.dmcf.published import TABLE_1, VARIANTS
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures import draw as draw_module
from dmcf_jax.reports.figures import pair_distances
from dmcf_jax.reports.figures.draw import FIGURES, draw
from dmcf_jax.reports.figures.embedding_map import lay_out
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions, spread
from dmcf_jax.reports.figures.level_similarity import similarities
from dmcf_jax.reports.figures.plotting import Table, new_figure, save
from dmcf_jax.reports.figures.training_curves import training_curves
from dmcf_jax.runs import folder as run_folder
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.load import untrained
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runs.summary import write_summary

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("standard_promotion")]
ROOT = Path(__file__).parents[3]
PAPERS, OTHER = DATASETS["regdb"].protocols
CHANGES = tiny.PAPERS_LEVELS | {"mtl.start_step": 2, "train.steps": 6}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An evaluated run on eight synthetic people, four of them in the test split.

    Nothing is trained, since compiling the step takes a minute: the folder holds the network's
    initial weights and an invented log.
    """
    folder = tmp_path_factory.mktemp("figures")
    prepare_synthetic("regdb", 8, 0, folder / "data", trial="1")
    config = tiny.config(CHANGES | {"data.data_dir": str(folder / "data")})
    workdir = folder / "run"
    run_folder.write_run_info(workdir, config)
    (workdir / "classes.json").write_text(json.dumps(list(range(4))))
    write_log(workdir / "metrics.jsonl")
    with jax.numpy_dtype_promotion("standard"), Checkpoints(workdir) as checkpoints:
        checkpoints.save(build(config, 4).make_state(untrained(workdir).variables))
        checkpoints.wait()
        evaluate(workdir)
    return workdir


def write_log(path):
    """Write what six steps may have logged."""
    draw_from = np.random.default_rng(0)
    for step in range(1, 7):
        losses = {f"L{number}": draw_from.uniform(0, 5) for number in range(1, 12)}
        levels = {f"level_{name}": draw_from.uniform(0, 9) for name in ("low", "middle", "high")}
        sigmas = {f"sigma_{name}": 1.0 for name in ("low", "middle", "high")}
        if step > 2:
            sigmas = {name: draw_from.uniform(0.2, 2) for name in sigmas}
        health = {
            f"{name}_{feature}": draw_from.uniform(0, 1)
            for name in ("distance_own", "distance_other", "active", "spread")
            for feature in ("G1", "G2", "G3")
        }
        with open(path, "a") as file:
            file.write(json.dumps({"step": step} | losses | levels | sigmas | health) + "\n")


@pytest.fixture(scope="module")
def drawn(run, tmp_path_factory):
    """All figures of the run."""
    out = tmp_path_factory.mktemp("drawn")
    with jax.numpy_dtype_promotion("standard"):
        draw(["all"], run, out, FigureOptions(pairs=2, identities=3))
    return out


@pytest.fixture(scope="module")
def inputs(run):
    """The run's model, test images and embeddings."""
    return FigureInputs(run)


@pytest.fixture
def experiment(run, tmp_path):
    """Two seeds of 'dmcf' and of 'no_mtl': copies with other curves and other sigmas."""
    for row, shift in (("dmcf", 0.0), ("no_mtl", 0.05)):
        for seed in (0, 1):
            copy = tmp_path / "table" / row / f"seed_{seed}"
            shutil.copytree(run, copy, ignore=shutil.ignore_patterns("checkpoints", "tensorboard"))
            for protocol in DATASETS["regdb"].protocols:
                edit_json(copy / f"evaluation/{protocol}.json", lower, shift + 0.1 * seed)
            edit_sigmas(copy / "metrics.jsonl", 1 + seed)
    return tmp_path / "table"


def edit_json(path, change, *arguments):
    content = json.loads(path.read_text())
    change(content, *arguments)
    path.write_text(json.dumps(content))


def lower(result, by):
    curve = result["mean"]["cmc"]
    result["mean"]["cmc"] = {rank: value * (1 - by) for rank, value in curve.items()}


def make_official(result):
    result["data"]["official"] = True


def edit_sigmas(path, factor):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["sigma_low"] *= factor
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def table_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def curve_in(rows, protocol, series="ours", source="ours"):
    found = [r for r in rows if (r["protocol"], r["series"]) == (protocol, series)]
    return {int(r["rank"]): float(r["mean_percent"]) for r in found if r["source"] == source}


def result_of(run, protocol):
    return json.loads((run / f"evaluation/{protocol}.json").read_text())


# Figures 3 and 4


def test_figure_3_holds_the_curves_of_the_evaluation(run, drawn):
    rows = table_of(drawn / "figure_3_cmc.csv")
    for protocol in DATASETS["regdb"].protocols:
        expected = {int(k): 100 * v for k, v in result_of(run, protocol)["mean"]["cmc"].items()}
        assert curve_in(rows, protocol) == pytest.approx(expected)
    # Synthetic people are not the paper's data: its values must not be shown beside them.
    assert {row["source"] for row in rows} == {"ours"}


def test_published_points_stand_beside_official_data_by_the_papers_protocol_only(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    for protocol in DATASETS["regdb"].protocols:
        edit_json(copy / f"evaluation/{protocol}.json", make_official)
    draw(["3"], copy)
    rows = table_of(copy / "figures/figure_3_cmc.csv")
    assert curve_in(rows, PAPERS, "DMCF (paper)", "published") == {1: 39.75, 10: 61.26, 20: 70.10}
    published = {r["series"] for r in rows if r["source"] == "published"}
    assert published == set(TABLE_1["regdb"])
    assert {r["protocol"] for r in rows if r["source"] == "published"} == {PAPERS}
    assert "D2RL (43.4 %)" in (copy / "figures/figure_3_cmc.svg").read_text()


def test_figure_4_holds_mean_and_deviation_of_each_rows_runs(experiment):
    draw(["4"], experiment)
    rows = table_of(experiment / "figures/figure_4_variants.csv")
    for variant in ("dmcf", "no_mtl"):
        results = [result_of(experiment / variant / f"seed_{seed}", OTHER) for seed in (0, 1)]
        for row in (r for r in rows if (r["series"], r["protocol"]) == (variant, OTHER)):
            values = [100 * result["mean"]["cmc"][row["rank"]] for result in results]
            assert float(row["mean_percent"]) == pytest.approx(statistics.mean(values))
            assert float(row["std_percent"]) == pytest.approx(statistics.stdev(values), abs=1e-9)
            assert (row["averaged"], row["over"]) == ("2", "run")
    assert [r["series"] for r in rows if r["rank"] == "1"] == ["no_mtl"] * 2 + ["dmcf"] * 2


def test_figure_4_marks_what_the_paper_prints_of_a_variant(experiment):
    for path in experiment.rglob("*.json"):
        if path.parent.name == "regdb":
            edit_json(path, make_official)
    draw(["4"], experiment)
    rows = table_of(experiment / "figures/figure_4_variants.csv")
    expected = {1: VARIANTS["regdb"]["no_mtl"].cmc_1}
    assert curve_in(rows, PAPERS, "no_mtl", "published") == expected == {1: 34.51}
    assert curve_in(rows, OTHER, "no_mtl", "published") == {}


def test_results_made_in_different_ways_are_not_averaged(experiment):
    def rerank(result):
        result["options"] = ["k-reciprocal"]

    edit_json(experiment / f"dmcf/seed_1/evaluation/{OTHER}.json", rerank)
    with pytest.raises(UserError) as caught:
        draw(["4"], experiment)
    assert caught.value.about == (str(experiment / f"dmcf/seed_1/evaluation/{OTHER}.json"),)
    assert "options" in str(caught.value)
    assert "k-reciprocal" in str(caught.value) and "seed_0" in str(caught.value)


# Figure 5


def test_similarity_is_the_cosine_of_all_values_of_two_maps():
    draw_from = np.random.default_rng(0)
    visible, infrared = draw_from.standard_normal((2, 3, 4, 2, 5)).astype(np.float32)
    visible[1] = 0
    actual = similarities(visible, infrared[:2])
    for i in range(3):
        for j in range(2):
            dot = lengths = other = 0.0
            for index in np.ndindex(4, 2, 5):
                a, b = float(visible[i][index]), float(infrared[j][index])
                dot, lengths, other = dot + a * b, lengths + a * a, other + b * b
            expected = dot / math.sqrt(lengths * other) if lengths else 0.0
            assert actual[i, j] == pytest.approx(expected, abs=1e-6)


def test_figure_5_compares_the_first_images_of_each_person_level_by_level(inputs, drawn):
    rows = table_of(drawn / "figure_5_levels.csv")
    store, trained = inputs.store, inputs.trained
    people = sorted(set(store.identity.tolist()))
    flat = {}
    for number, name in enumerate(MODALITIES):
        first = [
            next(
                i
                for i in range(len(store))
                if (store.identity[i], store.modality[i]) == (p, number)
            )
            for p in people
        ]
        assert [r[name] for r in rows if r["level"] == "low"] == store.path[first].tolist()
        network = functools.partial(trained.model.apply, modality=name, method="feature_maps")
        maps = jax.jit(network)(trained.variables, normalise(jnp.asarray(store.images[first])))
        flat[name] = {
            k: np.asarray(v, np.float64).reshape(len(people), -1) for k, v in maps.items()
        }
    stages = {"low": "layer2", "middle": "layer3", "high": "layer4"}
    assert list(dict.fromkeys(r["level"] for r in rows)) == list(stages)  # B1, B2, B3
    for level, stage in stages.items():
        v, i = (
            side / np.linalg.norm(side, axis=1)[:, None]
            for side in (flat[n][stage] for n in MODALITIES)
        )
        pairs = [(a, b) for a in range(4) for b in range(4)]
        different = statistics.mean(float(v[a] @ i[b]) for a, b in pairs if a != b)
        here = [r for r in rows if r["level"] == level]
        same = [float(v[a] @ i[a]) for a in range(4)]
        assert [float(r["similarity_same"]) for r in here] == pytest.approx(same, abs=1e-5)
        for row in here:
            assert float(row["mean_similarity_same"]) == pytest.approx(
                statistics.mean(same), abs=1e-5
            )
            assert float(row["mean_similarity_different"]) == pytest.approx(different, abs=1e-5)
        assert [r["shown"] for r in here].count("yes") == 2


# Figure 6


def test_the_final_ratio_is_that_of_the_last_logged_step(run, drawn):
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 6
    expected = [last[f"sigma_{level}"] / last["sigma_high"] for level in ("low", "middle", "high")]
    ratio = table_of(drawn / "figure_6_sigma_ratio.csv")[0]
    weights = [(last["sigma_high"] / last[f"sigma_{n}"]) ** 2 for n in ("low", "middle", "high")]
    assert [float(v) for v in list(ratio.values())[1:]] == pytest.approx([*expected, *weights])
    spelled = " : ".join(f"{value:.3g}" for value in expected)
    text = (drawn / "figure_6_sigma.svg").read_text()
    assert f"σ low : middle : high = {spelled} after step 6" in text
    spelled = " : ".join(f"{value:.3g}" for value in weights)
    assert f"1/(2σ²) low : middle : high = {spelled} after step 6" in text
    assert "weighting starts: step 2" in text and "paper" not in text
    steps = table_of(drawn / "figure_6_sigma.csv")
    logged = [line["sigma_middle"] for line in read_metrics(run / "metrics.jsonl")]
    assert [float(row["sigma_middle"]) for row in steps] == logged


def test_an_experiments_ratio_is_the_mean_of_its_seeds(experiment, monkeypatch):
    monkeypatch.setattr(FigureInputs, "metadata", lambda self: {"official": True})
    draw(["6"], experiment)
    rows = {row["run"]: row for row in table_of(experiment / "figures/figure_6_sigma_ratio.csv")}
    name = "sigma_low_over_high"
    seeds = [float(rows[f"seed_{seed}"][name]) for seed in (0, 1)]
    assert seeds[1] == pytest.approx(2 * seeds[0])
    assert float(rows["mean"][name]) == pytest.approx(1.5 * seeds[0])
    assert list(rows["paper"].values()) == ["paper", *["0.2", "0.3", "1.0"] * 2]
    text = (experiment / "figures/figure_6_sigma.svg").read_text()
    assert text.count("paper: 0.2 : 0.3 : 1") >= 2


# Distances


def brute_force(embeddings, identity, modality, bins):
    """Return the counts by a loop over all pairs, and the distances themselves."""
    names = {(0, 0): "within visible", (1, 1): "within infrared", (0, 1): "across modalities"}
    counts = {name: np.zeros((2, bins), int) for name in names.values()}
    distances = {name: ([], []) for name in names.values()}
    for a in range(len(identity)):
        for b in range(a + 1, len(identity)):
            name = names[tuple(sorted((int(modality[a]), int(modality[b]))))]
            distance = 1 - float(embeddings[a] @ embeddings[b])
            kind = int(identity[a] != identity[b])
            counts[name][kind, min(int(distance / 2 * bins), bins - 1)] += 1
            distances[name][kind].append(distance)
    return counts, distances


@pytest.fixture(scope="module")
def scattered():
    """Vectors whose products are multiples of 1/16, so that no rounding moves one over an edge."""
    draw_from = np.random.default_rng(1)
    vectors = draw_from.choice([-0.25, 0.25], (41, 16)).astype(np.float32)
    identity = draw_from.integers(0, 6, 41).astype(np.int32)
    return vectors, identity, draw_from.integers(0, 2, 41).astype(np.int32)


def test_every_pair_is_counted_once_in_its_bin(scattered):
    counted = pair_distances.count_pairs(*scattered, bins=40, block=7)
    counts, _ = brute_force(*scattered, bins=40)
    for name, group in counted.items():
        np.testing.assert_array_equal(group.same, counts[name][0])
        np.testing.assert_array_equal(group.different, counts[name][1])
    assert sum(int((g.same + g.different).sum()) for g in counted.values()) == 41 * 40 // 2


def test_auc_and_medians_are_those_of_the_distances_themselves(scattered):
    counted = pair_distances.count_pairs(*scattered)
    _, distances = brute_force(*scattered, bins=40)
    for name, (same, different) in distances.items():
        wins = sum((s < d) + 0.5 * (s == d) for s in same for d in different)
        assert counted[name].auc == pytest.approx(wins / (len(same) * len(different)))
        for counts, values in zip(
            (counted[name].same, counted[name].different), (same, different), strict=True
        ):
            middle = pair_distances.median_of(counts)
            assert middle == pytest.approx(statistics.median_low(values), abs=0.0005)


def test_no_pair_of_a_kind_gives_no_number():
    one = pair_distances.count_pairs(np.eye(3, dtype=np.float32), np.arange(3), np.zeros(3, int))
    assert math.isnan(one["within visible"].auc) and one["within visible"].different.sum() == 3
    assert math.isnan(pair_distances.median_of(one["across modalities"].different))


def test_the_distances_file_adds_up_to_all_pairs(inputs, drawn):
    rows = table_of(drawn / "distances.csv")
    summary = {row["group"]: row for row in table_of(drawn / "distances_summary.csv")}
    # Four people with ten images of each kind.
    expected = {"within visible": (180, 600), "within infrared": (180, 600)}
    expected["across modalities"] = (400, 1200)
    for name, pairs in expected.items():
        for column, count in zip(("same_person_pairs", "different_pairs"), pairs, strict=True):
            assert sum(int(r[column]) for r in rows if r["group"] == name) == count
            assert int(summary[name][column]) == count
    _, distances = brute_force(
        inputs.embeddings, inputs.store.identity, inputs.store.modality, bins=100
    )
    same, different = distances["across modalities"]
    wins = sum((s < d) + 0.5 * (s == d) for s in same for d in different)
    assert float(summary["across modalities"]["auc"]) == pytest.approx(
        wins / (400 * 1200), abs=2e-3
    )


# Ranked lists, embeddings, training curves


@pytest.mark.parametrize("query", [0, 1])
def test_ranked_lists_are_those_of_a_plain_sort(inputs, drawn, query):
    store, embeddings = inputs.store, inputs.embeddings
    rows = table_of(drawn / f"ranked_{MODALITIES[query]}_queries.csv")
    place = {path: number for number, path in enumerate(store.path)}
    assert all(store.modality[place[row["query"]]] == query for row in rows)
    gallery = [i for i in range(len(store)) if store.modality[i] != query]
    for asked in {row["query"] for row in rows}:
        scores = {i: float(embeddings[i] @ embeddings[place[asked]]) for i in gallery}
        best = sorted(scores.values(), reverse=True)[:10]
        here = sorted((r for r in rows if r["query"] == asked), key=lambda r: int(r["rank"]))
        assert [float(r["score"]) for r in here] == pytest.approx(best, abs=1e-5)
        for row in here:
            found = place[row["gallery"]]
            assert scores[found] == pytest.approx(float(row["score"]), abs=1e-5)
            person = store.identity[place[asked]]
            assert row["right"] == ("right" if store.identity[found] == person else "wrong")
    # Four people are asked, each once: two of the best and two of the worst.
    asked = {row["query"]: row["kind"] for row in rows}
    assert sorted(asked.values()) == ["best"] * 2 + ["worst"] * 2
    assert len({store.identity[place[path]] for path in asked}) == 4
    means = [
        statistics.mean(float(r["average_precision"]) for r in rows if r["kind"] == kind)
        for kind in ("best", "worst")
    ]
    assert means[0] > means[1]


def test_the_map_shows_the_people_asked_for(inputs, drawn):
    rows = table_of(drawn / "embeddings.csv")
    people = sorted(set(inputs.store.identity.tolist()))
    shown = sorted({int(row["identity"]) for row in rows})
    assert shown == [people[0], people[2], people[3]]  # evenly spread over four
    assert len(rows) == 3 * 20
    assert sum(row["modality"] == "infrared" for row in rows) == 30


def test_the_map_keeps_neighbours_and_is_the_same_each_time():
    draw_from = np.random.default_rng(0)
    people = np.repeat(np.arange(3), 10)
    vectors = np.eye(8)[people] + 0.05 * draw_from.standard_normal((30, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    places = lay_out(vectors)
    np.testing.assert_array_equal(places, lay_out(vectors))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(30)
    np.testing.assert_array_equal(people[apart.argmin(axis=1)], people)


def test_people_are_spread_from_the_first_to_the_last():
    assert spread(range(10), 4).tolist() == [0, 3, 6, 9]
    assert spread([5, 7], 4).tolist() == [5, 7]
    assert spread(range(10), 1).tolist() == [0]


def test_training_curves_hold_every_loss_of_the_log(run, tmp_path):
    lines = read_metrics(run / "metrics.jsonl")
    lines[1]["L3"] = None  # what the log says of a loss that was no number
    training_curves(lines, 2, tmp_path)
    rows = table_of(tmp_path / "training_curves.csv")
    assert {f"L{i}" for i in range(1, 12)} <= rows[0].keys()
    assert [row["L3"] for row in rows] == [str(x) if (x := line["L3"]) else "" for line in lines]
    assert (
        "loss term, eq. 8-11 (nats; triplets: distance)"
        in (tmp_path / "training_curves.svg").read_text()
    )


def test_health_curves_hold_the_statistics_and_mark_the_alarms(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    alarm = {"feature": "G2", "kind": "collapsed", "since": 4}
    write_summary(copy, {"step": 6, "alarms": [alarm], "rank-1": {}})
    draw(["health"], copy, tmp_path)
    lines, rows = read_metrics(run / "metrics.jsonl"), table_of(tmp_path / "health_curves.csv")
    for name in ("L1", "L11", "distance_own_G1", "distance_other_G3", "active_G2", "spread_G1"):
        assert [float(row[name]) for row in rows] == [line[name] for line in lines]
    assert "1 feature collapsed: G2" in (tmp_path / "health_curves.svg").read_text()


def test_a_log_without_statistics_has_no_health_figure(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    (copy / "metrics.jsonl").write_text(json.dumps({"step": 1, "L1": 1.0}) + "\n")
    with pytest.raises(UserError) as caught:
        draw(["health"], copy)
    assert caught.value.about == (str(copy / "metrics.jsonl"),)


# Verification


def test_the_verification_curves_are_those_of_the_evaluation(run, drawn):
    rows = table_of(drawn / "verification.csv")
    for protocol in DATASETS["regdb"].protocols:
        result = result_of(run, protocol)
        pairs = result["trials"][0]["verification"]["different_person_pairs"]
        rates = result["mean"]["verification"]["tpr_at_fpr"]
        expected = {float(r): 100 * v for r, v in rates.items() if float(r) * pairs >= 1}
        found = {float(r["fpr"]): r for r in rows if r["protocol"] == protocol}
        shares = {rate: float(row["tpr_percent"]) for rate, row in found.items()}
        assert shares == pytest.approx(expected) and 0 < len(expected) < len(rates)
        assert all(
            float(row["fnmr_percent"]) == pytest.approx(100 - float(row["tpr_percent"]))
            for row in found.values()
        )


def test_results_without_verification_have_no_curves(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    edit_json(copy / f"evaluation/{OTHER}.json", lambda result: result["mean"].pop("verification"))
    with pytest.raises(UserError) as caught:
        draw(["verification"], copy)
    assert caught.value.about == (str(copy / f"evaluation/{OTHER}.json"),)


# Every file

LABELS = {
    "figure_3_cmc": ("CMC matching rate (% of queries)", "rank k (first k images)"),
    "figure_5_levels": ("B1 (low)", "B3 (high)", "visible", "infrared", "Similarity: cosine"),
    "figure_6_sigma": ("training step (number of updates)", "(no unit)"),
    "health_curves": ("share of active triplets (0 to 1)", "distance to own and other people"),
    "embeddings": ("t-SNE axis 1 (no unit)", "t-SNE axis 2 (no unit)", "infrared"),
    "ranked_visible_queries": ("query", "visible queries and their first 10 infrared images"),
    "ranked_infrared_queries": ("query", "infrared queries and their first 10 visible images"),
    "distances": ("cosine distance, 0 to 2 (no unit)", "share of pairs (% per 0.02 of distance)"),
    "verification": ("FPR (share of pairs of two people)", "FNMR (share of pairs of one person)"),
}


def test_all_draws_what_fits_a_run(drawn):
    assert {path.stem for path in drawn.glob("*.png")} == set(LABELS)
    assert not list(drawn.glob("*unfinished*"))


@pytest.mark.parametrize("name", LABELS)
def test_a_figure_names_its_axes_and_has_a_white_ground(drawn, name):
    text = (drawn / f"{name}.svg").read_text()
    for label in LABELS[name]:
        assert label in text, label
    assert "fill: #ffffff" in text[: text.index("axes_1")]
    with Image.open(drawn / f"{name}.png") as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    # Opaque white at the edges: nothing is cut off there, and a dark page does not show through.
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        np.testing.assert_array_equal(edge, np.full_like(edge, 255))
    assert (pixels[..., :3].min(axis=2) < 100).sum() > 500  # there is ink


def test_the_same_run_gives_the_same_files(run, drawn, tmp_path):
    again = draw(["3", "6"], run, tmp_path)
    assert len(again) == 7
    for path in again:
        assert path.read_bytes() == (drawn / path.name).read_bytes()


# What is refused


def test_everything_in_the_way_is_named_at_once_and_nothing_drawn(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    bare = shutil.copytree(run, tmp_path / "bare", ignore=shutil.ignore_patterns("evaluation"))
    with pytest.raises(UserError) as caught:
        draw(["3", "4", "5", "6", "embeddings"], bare, None, FigureOptions(pairs=0, identities=99))
    about = (str(bare), "--workdir", "--pairs", "--identities", "scikit-learn")
    assert caught.value.about == about
    unevaluated, single_run, pairs, identities, extra = map(str, caught.value.problems)
    assert PAPERS in unevaluated and OTHER in unevaluated
    assert f"dmcf evaluate --workdir={bare}" in unevaluated
    assert "figure 4" in single_run and "dmcf experiments" in single_run
    assert "1 to 12" in pairs and "2 to 16" in identities
    assert 'pip install "dmcf_jax[viz]"' in extra
    assert not (bare / "figures").exists()


def test_all_says_what_it_leaves_out(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(draw_module, "FIGURES", {name: FIGURES[name] for name in ("3", "4", "6")})
    bare = shutil.copytree(run, tmp_path / "bare", ignore=shutil.ignore_patterns("evaluation"))
    assert {path.stem for path in draw(["all"], bare)} == {"figure_6_sigma", "figure_6_sigma_ratio"}
    message = capsys.readouterr().err
    assert "left out" in message and "figure 3" in message and "figure 4" in message


def test_a_run_that_learns_no_sigma_has_no_figure_6(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    edit_json(copy / "config.json", lambda config: config.update({"mtl.enabled": False}))
    with pytest.raises(UserError) as caught:
        draw(["6"], copy)
    assert caught.value.about == ("mtl.enabled",)


def test_an_experiment_without_the_whole_method_names_a_run_to_take(experiment):
    shutil.rmtree(experiment / "dmcf")
    with pytest.raises(UserError) as caught:
        draw(["6", "distances"], experiment)
    assert caught.value.about == ("--workdir",) * 2
    assert "no_mtl/seed_0" in str(caught.value)


def test_runs_are_taken_in_the_order_of_their_numbers(tmp_path):
    for trial in (10, 2, 1):
        folder = tmp_path / "dmcf" / f"trial_{trial}_seed_0"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    names = [run.name for run in FigureInputs(tmp_path).runs]
    assert names == ["trial_1_seed_0", "trial_2_seed_0", "trial_10_seed_0"]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError) as caught:
        save(new_figure(1.0, 1.0), tmp_path / "out", "name", Table("a"))
    assert caught.value.about == (str(tmp_path / "out/name.png"),)


def test_the_command_ends_with_a_sentence_and_status_2(tmp_path):
    ended = run_python("scripts/figures.py", f"--workdir={tmp_path}", "--figure=3")
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert f"error: {tmp_path} holds neither a run" in ended.stderr


def test_an_unknown_figure_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UserError) as caught:
        draw(["3", "7", "tsne"], tmp_path)
    assert caught.value.about == ("--figure",)
    message = str(caught.value)
    assert "7, tsne" in message and all(name in message for name in FIGURES)
