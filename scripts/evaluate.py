"""Evaluate a run by the field's protocols, list the protocols, or pool the trials of RegDB.

python scripts/evaluate.py --workdir=runs/regdb_1
python scripts/evaluate.py --workdir=runs/regdb_1 --html=report.html
python scripts/evaluate.py --workdir=runs/regdb_1 --expect=recorded.json
python scripts/evaluate.py --list_protocols
python scripts/evaluate.py --pool=runs/regdb_1,runs/regdb_2 --out=runs/regdb
"""

from absl import flags

from dmcf_jax.cli import app as command_line

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run")
_PROTOCOL = flags.DEFINE_list("protocol", [], "Names, or all; by default what papers report")
_LIST = flags.DEFINE_bool("list_protocols", False, "List the protocols and stop")
_STEP = flags.DEFINE_integer("step", None, "Checkpoint; by default the last")
_BEST = flags.DEFINE_bool("best", False, "Take the checkpoint that train.keep_best kept")
_PERMUTATIONS = flags.DEFINE_string("permutations", None, "Path of SYSU-MM01's rand_perm_cam.mat")
_FLIP = flags.DEFINE_bool("flip", None, "Average over mirror images")
_RERANKING = flags.DEFINE_bool("reranking", False, "Re-rank by k-reciprocal neighbours")
_EXPANSION = flags.DEFINE_bool("query_expansion", False, "Average query expansion")
_POOL = flags.DEFINE_list("pool", [], "Folders of evaluated RegDB runs to pool")
_HTML = flags.DEFINE_string("html", None, "File for a page with curves, best and worst queries")
_RECORD = flags.DEFINE_string("record", None, "File to put the results on record in")
_EXPECT = flags.DEFINE_string("expect", None, "Record that the results must agree with")
_TOLERANCE = flags.DEFINE_float(
    "tolerance", None, "Largest difference from the record, a fraction; by default what it says"
)
_OUT = flags.DEFINE_string("out", None, "Folder for pooled results")
_joined_hosts = command_line.host_flags()


def main() -> None:
    """Do what the flags ask for."""
    if _LIST.value:
        _list_protocols()
        return
    from pathlib import Path

    from dmcf_jax import evaluate
    from dmcf_jax.errors import UserError

    if _POOL.value and _OUT.value:
        results = evaluate.pool(_POOL.value, _PROTOCOL.value, Path(_OUT.value))
        evaluate.show(results)
        evaluate.compare(results, _EXPECT.value, _RECORD.value, _TOLERANCE.value)
    elif _WORKDIR.value:
        with _joined_hosts():
            results = evaluate.evaluate(
                _WORKDIR.value,
                _PROTOCOL.value,
                step=_STEP.value,
                best=_BEST.value,
                permutations_path=_PERMUTATIONS.value,
                flip=_FLIP.value,
                reranking=_RERANKING.value,
                query_expansion=_EXPANSION.value,
                html=_HTML.value,
            )
            evaluate.show(results)
            evaluate.compare(results, _EXPECT.value, _RECORD.value, _TOLERANCE.value)
    else:
        raise UserError("name --workdir, or --pool together with --out, or --list_protocols")


def _list_protocols():
    from dmcf_jax.evaluation.protocols import list_protocols

    for protocol in list_protocols():
        print(f"{protocol.name}\n    {protocol.description}")


if __name__ == "__main__":
    command_line.run(main)
