"""Render synthetic people, train on them, evaluate, and draw the results.

dmcf demo
dmcf demo --short --folder=/tmp/demo
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from dmcf_jax.cli import app

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_FOLDER = flags.DEFINE_string("folder", "runs/demo", "Folder for data, run and figures")
_EXPECT = flags.DEFINE_string("expect", None, "Stored results that these must agree with")
_RECORD = flags.DEFINE_string("record", None, "File to store the results in")
_SHORT = flags.DEFINE_bool("short", False, "Few people and steps: shows that everything works")


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

    A second call keeps data and training and repeats only evaluation and figures.

    Args:
        identities: synthetic people; half of them are trained on, half tested.
    """
    from dmcf_jax.config.build import load_split
    from dmcf_jax.data.datasets import DATASETS
    from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
    from dmcf_jax.evaluate import embed_split, score
    from dmcf_jax.evaluation.protocols import find_protocol
    from dmcf_jax.reports.write import write_report
    from dmcf_jax.runs.load import load_trained, untrained
    from dmcf_jax.runs.summary import read_summary, summary_lines
    from dmcf_jax.runtime.console import log, log_time
    from dmcf_jax.train import train

    config.data.data_dir = str(folder / f"data_{identities}")
    with log_time(f"rendering and preparing {identities} synthetic people"):
        prepare_synthetic("regdb", identities, config.seed, config.data.data_dir, trial="1")
    workdir = folder / "run"
    train(config, workdir)
    store = load_split(config, ("test",))
    protocols = [find_protocol(name) for name in DATASETS["regdb"].protocols]
    scores = {}
    for kind, model in (("untrained", untrained(workdir)), ("trained", load_trained(workdir))):
        embeddings = embed_split(model, store, None)
        scores[kind] = score(model, store, embeddings, protocols)
    for result in scores["trained"]:
        write_report(result, workdir / "evaluation")
    _draw(config, embeddings, store, workdir)
    print(comparison_table(scores["trained"], scores["untrained"]))
    for line in summary_lines(read_summary(workdir)):
        log(f"training: {line}")
    return scores["trained"]


def _draw(config, embeddings, store, workdir):
    """Draw a ranked list of each modality and the training curves, and log their paths."""
    from dmcf_jax.config.validate import weighting_start
    from dmcf_jax.modality import MODALITIES
    from dmcf_jax.reports.figures.plotting import png_files
    from dmcf_jax.reports.figures.ranked_lists import ranked_lists
    from dmcf_jax.reports.figures.training_curves import training_curves
    from dmcf_jax.runs.metrics_log import read_metrics
    from dmcf_jax.runtime.console import log

    drawn = [
        path
        for query in range(len(MODALITIES))
        for path in ranked_lists(embeddings, store, query, workdir)
    ]
    lines = read_metrics(workdir / "metrics.jsonl")
    drawn += training_curves(lines, weighting_start(config), workdir)
    log("\n".join(["Look at:", *(f"  {path}" for path in png_files(drawn))]))


def comparison_table(trained: list[dict], untrained: list[dict]) -> str:
    """Return a Markdown table of both networks beside chance, in percent."""
    rows = [
        "| protocol | rank-1 | rank-10 | mAP | untrained rank-1 | untrained mAP | chance rank-1 |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for after, before in zip(trained, untrained, strict=True):
        new, old = after["mean"], before["mean"]
        fractions = [new["cmc"]["1"], new["cmc"]["10"], new["mAP"], old["cmc"]["1"], old["mAP"]]
        cells = " | ".join(f"{100 * value:.2f}" for value in [*fractions, chance_rank_1(after)])
        rows.append(f"| {after['protocol']} | {cells} |")
    return "\n".join(rows)


def chance_rank_1(result: dict) -> float:
    """Return the rank-1 of a random order: the share of a gallery that shows the query's person.

    Exact where every person has equally many gallery images, as in RegDB's layout.
    """
    return 1.0 / result["data"]["counts"]["test"]["identities"]


if __name__ == "__main__":
    app.run(main)
