"""Evaluate a run by the field's protocols, or pool the runs of RegDB's trials.

dmcf evaluate --workdir=runs/regdb_1
dmcf evaluate --workdir=runs/regdb_1 --html=report.html
dmcf evaluate --workdir=runs/regdb_1 --data=own --data_dir=DIR
dmcf evaluate --workdir=runs/regdb_1 --expect=recorded.json
dmcf evaluate --model=hf://owner/name --data_dir=DIR --out=results
dmcf evaluate --list_protocols
dmcf evaluate --pool=runs/regdb_1,runs/regdb_2 --out=runs/regdb
"""

from absl import flags

from dmcf_jax.cli import app

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run")
_MODEL = flags.DEFINE_string(
    "model", None, "A model that is no run: a folder of --format=hub, hf://owner/name, synthetic"
)
_PROTOCOL = flags.DEFINE_list("protocol", [], "Names, or all; by default those that papers report")
_LIST = flags.DEFINE_bool("list_protocols", False, "List the protocols and stop")
_STEP = flags.DEFINE_integer("step", None, "Checkpoint; by default the last")
_BEST = flags.DEFINE_bool("best", False, "Take the checkpoint that train.keep_best kept")
_PERMUTATIONS = flags.DEFINE_string("permutations", None, "Path of SYSU-MM01's rand_perm_cam.mat")
_FLIP = flags.DEFINE_bool("flip", None, "Average over mirror images")
_RERANKING = flags.DEFINE_bool("reranking", False, "Re-rank by k-reciprocal neighbours")
_EXPANSION = flags.DEFINE_bool("query_expansion", False, "Average query expansion")
_VERIFICATION = flags.DEFINE_bool("verification", True, "Verify all pairs: TPR at FPR, EER, DIR")
_POOL = flags.DEFINE_list("pool", [], "Folders of evaluated RegDB runs to pool")
_HTML = flags.DEFINE_string("html", None, "File for a page with curves, best and worst queries")
_RECORD = flags.DEFINE_string("record", None, "File to store the results in")
_EXPECT = flags.DEFINE_string("expect", None, "Stored results that these must agree with")
_TOLERANCE = flags.DEFINE_float(
    "tolerance", None, "Largest difference from the stored results, a fraction; by default theirs"
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of prepared data; by default the run's")
_DATA = flags.DEFINE_string("data", None, "Data set to test on; by default the run's")
_TRIAL = flags.DEFINE_integer("trial", None, "Its split; by default the run's")
_OUT = flags.DEFINE_string("out", None, "Folder for pooled results and those of --model")
_joined_hosts = app.host_flags()


def main() -> None:
    """Evaluate, pool or list by the flags."""
    if _LIST.value:
        _list_protocols()
        return
    from pathlib import Path

    from dmcf_jax.errors import UserError
    from dmcf_jax.evaluate import compare, evaluate, pool, show
    from dmcf_jax.runs.other_data import DataChoice

    named = [f"--{flag.name}" for flag in (_WORKDIR, _MODEL, _POOL) if flag.value]
    if len(named) > 1:
        raise UserError(f"name one of {', '.join(named)}", about=named[-1])
    source = _WORKDIR.value or _MODEL.value
    if _POOL.value and _OUT.value:
        results = pool(_POOL.value, _PROTOCOL.value, Path(_OUT.value))
        show(results)
        compare(results, _EXPECT.value, _RECORD.value, _TOLERANCE.value)
    elif source:
        with _joined_hosts():
            results = evaluate(
                source,
                _PROTOCOL.value,
                out=_OUT.value,
                step=_STEP.value,
                best=_BEST.value,
                permutations_path=_PERMUTATIONS.value,
                flip=_FLIP.value,
                reranking=_RERANKING.value,
                query_expansion=_EXPANSION.value,
                html=_HTML.value,
                data=DataChoice(_DATA_DIR.value, _DATA.value, _TRIAL.value),
                verification=_VERIFICATION.value,
            )
            show(results)
            compare(results, _EXPECT.value, _RECORD.value, _TOLERANCE.value)
    else:
        text = "name --workdir or --model, or --pool together with --out, or --list_protocols"
        raise UserError(text, about="--workdir")


def _list_protocols():
    from dmcf_jax.evaluation.protocols import list_protocols

    for protocol in list_protocols():
        print(f"{protocol.name}\n    {protocol.description}")


if __name__ == "__main__":
    app.run(main)
