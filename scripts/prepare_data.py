"""Verify RegDB, SYSU-MM01, LLCM or your own pictures and build records; or render a made-up set.

python scripts/prepare_data.py --dataset=regdb --source=DIR --data_dir=DIR
python scripts/prepare_data.py --dataset=synthetic --identities=100 --data_dir=DIR --trial=1
python scripts/prepare_data.py --dataset=own --source=DIR|CSV --split_by_identity=0.5 --data_dir=DIR
python scripts/prepare_data.py --dataset=regdb --data_dir=DIR --verify
"""

from absl import flags

from dmcf_jax.cli import app as command_line
from dmcf_jax.cli.prepare_command import run

flags.DEFINE_string("dataset", None, "regdb, sysu_mm01, llcm, own or synthetic.")
flags.DEFINE_string("source", None, "Root of your own download; own: a folder or a CSV file.")
flags.DEFINE_string("data_dir", None, "Where prepared data sets live.")
flags.DEFINE_string("trial", "all", "RegDB: 1 to 10, or all.")
flags.DEFINE_bool("unofficial", False, "Accept counts other than the published ones.")
flags.DEFINE_bool("verify", False, "Check what is prepared against its hashes; build nothing.")
flags.DEFINE_string("layout", "regdb", "synthetic: regdb or sysu_mm01.")
flags.DEFINE_integer("identities", 100, "synthetic: how many people, over all splits.")
flags.DEFINE_float("split_by_identity", None, "own: draw this share of the people to train on.")
flags.DEFINE_integer("seed", 0, "synthetic: the same seed gives the same images; own: the split.")


def main() -> None:
    """Do what the flags ask for."""
    run(flags.FLAGS)


if __name__ == "__main__":
    command_line.run(main)
