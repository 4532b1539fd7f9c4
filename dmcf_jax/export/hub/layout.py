"""The folder of a shared model: what its files are called and how big they may be.

model.safetensors  all variables by path, such as params/visible/conv1/kernel
config.json        the fields that the network and its training depend on
metrics.json       hashes of the two above, of the data, and the results of evaluations
README.md          the model card
LICENSE            under which the weights are given

A program reads the first three, which are opened by these names only.
"""

from pathlib import Path

WEIGHTS, CONFIG, METRICS = "model.safetensors", "config.json", "metrics.json"
CARD, LICENCE = "README.md", "LICENSE"
READ = (WEIGHTS, CONFIG, METRICS)
FILES = (*READ, CARD, LICENCE)
# Weights of other programs, which are never opened.
PICKLES = ("pytorch_model.bin", "model.bin", "model.pth", "model.pt", "model.pkl")
HASHED = (WEIGHTS, CONFIG)  # metrics.json holds their SHA-256
FORMAT = 1
# Most bytes of each file: the weights of a ResNet-50 for each modality have 0.2e9.
LIMITS = {WEIGHTS: 4 * 10**9, CONFIG: 10**6, METRICS: 20 * 10**6}
MOST_HEADER = 10**6  # bytes of the list of tensors; that of two ResNet-50 has 60,000
MOST_PIXELS = 2**20  # of one input image
# Fields that say where things are on one machine or how fast it is: they stay there.
NOT_SHARED = (
    "init_from",
    "data.data_dir",
    "data.cache_dir",
    "data.placement",
    "model.pretrained",
    "evaluation.batch_size",
    "train.tracker",
)


def is_shared(path: Path) -> bool:
    """Return whether a folder is a shared model, be it damaged: no run and no other export."""
    if not path.is_dir() or (path / "checkpoints").exists():
        return False
    return any((path / name).is_symlink() or (path / name).exists() for name in (WEIGHTS, METRICS))


def printable(value: object) -> str:
    """Return text of a stranger's file as it may be shown: short, without control characters."""
    text = str(value)
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= 120 else shown[:117] + "..."
