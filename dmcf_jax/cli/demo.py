"""Render synthetic people, train on them, evaluate, and show the results on one page.

dmcf demo
dmcf demo --short --folder=/tmp/demo
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from dmcf_jax.cli import app

if TYPE_CHECKING:
    from ml_collections import ConfigDict

    from dmcf_jax.data.image_store import ImageStore
    from dmcf_jax.evaluation.protocols import Protocol
    from dmcf_jax.reports.html.demo_page import DemoSearch
    from dmcf_jax.runs.load import TrainedModel

_FOLDER = flags.DEFINE_string("folder", "runs/demo", "Folder for data, run and figures")
_EXPECT = flags.DEFINE_string("expect", None, "Stored results that these must agree with")
_RECORD = flags.DEFINE_string("record", None, "File to store the results in")
_SHORT = flags.DEFINE_bool("short", False, "Few people and steps: shows that everything works")

SEARCHED, QUERIES = 30, 5  # test people whose visible pictures are searched, and who are queried


def main() -> None:
    """Run the demo in full or in its short form."""
    from dmcf_jax.configs import synthetic
    from dmcf_jax.evaluate import compare

    config = synthetic.get_config()
    folder, identities = Path(_FOLDER.value), synthetic.IDENTITIES
    if _SHORT.value:
        folder, identities = folder.with_name(folder.name + "_short"), 40
        config.train.steps, config.train.log_every, config.sampler.P = 200, 50, 4
    compare(run_demo(config, folder, identities), _EXPECT.value, _RECORD.value)


def run_demo(config: "ConfigDict", folder: Path, identities: int) -> list[dict]:
    """Run the demo under `folder` and return the trained network's results.

    A second call keeps data and training and repeats only evaluation and page.

    Args:
        identities: synthetic people; half of them are trained on, half tested.
    """
    from dmcf_jax.config.build import load_split
    from dmcf_jax.data.datasets import DATASETS
    from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic, synthetic_source
    from dmcf_jax.evaluate import embed_split, score
    from dmcf_jax.evaluation.nearest import nearest
    from dmcf_jax.evaluation.protocols import find_protocol
    from dmcf_jax.reports.compared_runs import as_markdown
    from dmcf_jax.reports.html.demo_page import demo_page
    from dmcf_jax.reports.write import write_report
    from dmcf_jax.runs.metrics_log import read_metrics
    from dmcf_jax.runs.summary import read_summary, summary_lines
    from dmcf_jax.runtime.console import log, log_time
    from dmcf_jax.runtime.files import write_atomically
    from dmcf_jax.train import train

    data_dir = config.data.data_dir = str(folder / f"data_{identities}")
    with log_time(f"rendering and preparing {identities} synthetic people"):
        prepare_synthetic("regdb", identities, config.seed, config.data.data_dir, trial="1")
    workdir = folder / "run"
    train(config, workdir)
    store = load_split(config, ("test",))
    protocols = [find_protocol(name) for name in DATASETS["regdb"].protocols]
    scores = {}
    for kind, model in _models(workdir).items():
        embeddings = embed_split(model, store, None)
        scores[kind] = score(model, store, embeddings, protocols)
    results = scores["trained network"]
    for result in results:
        write_report(result, workdir / "evaluation")
    scores["HOG, which learns nothing"] = _hog_scores(config, protocols)
    cells = comparison_table(scores, chance_rank_1(results[0]))
    training = summary_lines(read_summary(workdir))
    lists = [nearest(protocol, embeddings, store) for protocol in protocols]
    search = _search(store, synthetic_source("regdb", identities, config.seed, data_dir), folder)
    metrics = read_metrics(workdir / "metrics.jsonl")
    page = demo_page(cells, training, metrics, results, lists, store, search)
    write_atomically(folder / "index.html", page)
    print(as_markdown(cells), end="")
    for line in training:
        log(f"training: {line}")
    log(f"All of it on one page: {folder / 'index.html'}")
    return results


def _models(workdir: Path) -> "dict[str, TrainedModel]":
    """Return the networks that the demo compares, the trained one last."""
    import dataclasses

    from dmcf_jax.config.build import build
    from dmcf_jax.runs.load import load_trained, untrained
    from dmcf_jax.training.start import start_variables

    trained = load_trained(workdir)
    config = trained.config
    start = start_variables(config, build(config, trained.model.identities))
    before = dataclasses.replace(trained, variables=start, step=0, chosen_by="before training")
    return {
        "random weights": untrained(workdir),
        "weights that training starts from": before,
        "trained network": trained,
    }


def _hog_scores(config: "ConfigDict", protocols: "list[Protocol]") -> list[dict]:
    """Return the results of HOG on the test people, by cosine, as `evaluate.score` does."""
    import numpy as np

    from dmcf_jax.data.image_store import load_images
    from dmcf_jax.evaluation.evaluate_protocol import evaluate_protocols
    from dmcf_jax.evaluation.results import result_as_dict
    from dmcf_jax.models.descriptors.hog import SIZE, hog

    data = config.data
    store = load_images(data.name, data.data_dir, ("test",), SIZE, trial=data.trial)
    vectors = hog(np.asarray(store.images))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    results = evaluate_protocols(protocols, vectors.astype(np.float32), store)
    return [result_as_dict(result, step=0, chosen_by="HOG") for result in results]


def _search(store: "ImageStore", source: Path, folder: Path) -> "DemoSearch":
    """Search some test people's infrared pictures among their visible ones, as files."""
    from dmcf_jax.modality import INFRARED, MODALITIES, VISIBLE
    from dmcf_jax.reports.html.demo_page import DemoSearch
    from dmcf_jax.runtime.files import write_atomically
    from dmcf_jax.search import SearchOptions, run_search

    people = store.people_in_both()[:SEARCHED]
    files = {}
    for modality, persons in ((VISIBLE, people), (INFRARED, people[:QUERIES])):
        name = MODALITIES[modality]
        lines = ["path,identity,modality"]
        for person in persons:
            rows = (store.identity == person) & (store.modality == modality)
            chosen = store.path[rows] if modality == VISIBLE else store.path[rows][:1]
            lines += [f"{source.name}/{path},{person},{name}" for path in chosen]
        files[name] = source.parent / f"{source.name}_{name}.csv"
        write_atomically(files[name], "\n".join(lines) + "\n")
    gallery, queries = (str(file) for file in files.values())
    return DemoSearch(
        run_search(SearchOptions(str(folder / "run"), gallery, queries)), source.parent
    )


def comparison_table(scores: dict[str, list[dict]], chance: float) -> list[list[str]]:
    """Return header and rows of all matchers beside chance, in percent.

    Args:
        scores: results by matcher, one for each protocol in the same order.
        chance: rank-1 of a random order, as a fraction.
    """
    protocols = [result["protocol"] for result in next(iter(scores.values()))]
    header = [f"{protocol} {metric}" for protocol in protocols for metric in ("rank-1", "mAP")]
    rows = {
        name: [
            f"{100 * value:.2f}"
            for result in results
            for value in (result["mean"]["cmc"]["1"], result["mean"]["mAP"])
        ]
        for name, results in scores.items()
    }
    rows["chance"] = [f"{100 * chance:.2f}", ""] * len(protocols)
    return [["matcher, %", *header], *([name, *cells] for name, cells in rows.items())]


def chance_rank_1(result: dict) -> float:
    """Return the rank-1 of a random order: the share of a gallery that shows the query's person.

    Exact where every person has equally many gallery images, as in RegDB's layout.
    """
    return 1.0 / result["data"]["counts"]["test"]["identities"]


if __name__ == "__main__":
    app.run(main)
