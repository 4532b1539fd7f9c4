"""The demo: made-up people rendered, prepared, learned, found again and shown."""

from pathlib import Path

from ml_collections import ConfigDict

from dmcf_jax.config import build as from_config
from dmcf_jax.config.validate import weighting_start
from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
from dmcf_jax.evaluate import embed_split, score
from dmcf_jax.evaluation.protocols import DEFAULT_PROTOCOLS, find_protocol
from dmcf_jax.evaluation.results import write_report
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures.canvas import pictures
from dmcf_jax.reports.figures.ranked_lists import ranked_lists
from dmcf_jax.reports.figures.training_curves import training_curves
from dmcf_jax.runs.load import load_trained, untrained
from dmcf_jax.runs.metrics_log import read_metrics
from dmcf_jax.runtime.console import log, log_time
from dmcf_jax.train import train


def run_demo(config: ConfigDict, folder: Path, identities: int) -> list[dict]:
    """Run the demo under `folder` and return the trained network's results.

    A second call finds everything there and repeats only evaluation and figures.

    Args:
        identities: made-up people; half of them are trained on, half tested.
    """
    config.data.data_dir = str(folder / f"data_{identities}")
    with log_time(f"rendering and preparing {identities} made-up people"):
        prepare_synthetic("regdb", identities, config.seed, config.data.data_dir, trial="1")
    workdir = folder / "run"
    train(config, workdir)
    store = from_config.load_split(config, ("test",))
    protocols = [find_protocol(name) for name in DEFAULT_PROTOCOLS["regdb"]]
    scores = {}
    for kind, model in (("untrained", untrained(workdir)), ("trained", load_trained(workdir))):
        embeddings = embed_split(model, store, None)
        scores[kind] = score(model, store, embeddings, protocols)
    for result in scores["trained"]:
        write_report(result, workdir / "evaluation")
    drawn = [
        path
        for query in range(len(MODALITIES))
        for path in ranked_lists(embeddings, store, query, workdir)
    ]
    lines = read_metrics(workdir / "metrics.jsonl")
    drawn += training_curves(lines, weighting_start(config), workdir)
    print(comparison_table(scores["trained"], scores["untrained"]))
    log("\n".join(["Look at:", *(f"  {path}" for path in pictures(drawn))]))
    return scores["trained"]


def comparison_table(trained: list[dict], untrained: list[dict]) -> str:
    """Return a Markdown table of both networks beside chance, in percent."""
    rows = [
        "| protocol | rank-1 | rank-10 | mAP | untrained rank-1 | untrained mAP | chance rank-1 |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for after, before in zip(trained, untrained, strict=True):
        values = [
            _percent(after, "1"),
            _percent(after, "10"),
            100 * after["mean"]["mAP"],
            _percent(before, "1"),
            100 * before["mean"]["mAP"],
            100 * chance_rank_1(after),
        ]
        rows.append(f"| {after['protocol']} | " + " | ".join(f"{v:.2f}" for v in values) + " |")
    return "\n".join(rows)


def _percent(result, rank):
    return 100 * result["mean"]["cmc"][rank]


def chance_rank_1(result: dict) -> float:
    """Return the rank-1 of a random order: the share of a gallery that shows the query's person.

    Exact where every person has equally many gallery images, as in RegDB's layout.
    """
    return 1.0 / result["data"]["counts"]["test"]["identities"]
