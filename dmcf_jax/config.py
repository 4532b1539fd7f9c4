"""Checking a config before anything is loaded or compiled; comparing and writing configs."""

import math
from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from dmcf_jax.errors import UserError
from dmcf_jax.features import LEVEL_OF_STAGE, STAGES

DATASETS = ("regdb", "sysu_mm01", "llcm")
# Fields that may differ when a run is continued: they change no result.
OPERATIONAL = ("data.data_dir", "data.cache_dir", "data.placement", "train.log_every", "evaluation")
SPLITS = {"regdb": ("train",), "llcm": ("train",), "sysu_mm01": ("train", "val")}


def validate(config: ConfigDict) -> None:
    """Refuse a config that cannot be run.

    Raises:
        UserError: naming every wrong field, its value and what is allowed, all at once.
    """
    try:
        problems = [f"{field}: {problem}" for field, problem in _problems(config)]
    except (AttributeError, KeyError) as error:
        problems = [f"a field is missing: {error.args[0]}"]
    if problems:
        raise UserError.listing(
            "this config cannot be run:",
            problems,
            "Change a field with --config.<field>=<value>; configs/default.py explains each.",
        )


def _problems(config: ConfigDict) -> Iterator[tuple[str, str]]:
    single = [*_number_problems(config), *_choice_problems(config)]
    yield from single
    # Fields are held against each other only once each makes sense by itself.
    if not single:
        yield from _contradictions(config)


_NUMBERS = {
    "seed": (0, 2**32 - 1),
    "data.trial": (1, 10),
    "data.pad": (0, math.inf),
    "data.flip": (0, 1),
    "sampler.P": (2, math.inf),
    "sampler.K": (1, math.inf),
    "model.width": (1, math.inf),
    "model.last_stride": (1, 2),
    "model.embedding_dim": (1, math.inf),
    "loss.triplet_start_step": (0, math.inf),
    "optim.weight_decay": (0, math.inf),
    "optim.beta1": (0, 0.9999),
    "optim.warmup_steps": (0, math.inf),
    "train.steps": (1, math.inf),
    "train.checkpoint_every": (1, math.inf),
    "train.log_every": (1, math.inf),
    "train.eval_every": (0, math.inf),
    "train.held_out": (0, 0.9),
    "evaluation.batch_size": (1, math.inf),
}
_ABOVE_ZERO = (
    "loss.margin",
    "optim.lr_backbone",
    "optim.lr_heads",
    "optim.lr_log_variance",
    "optim.decay_factor",
)


def _number_problems(config):
    for field, (low, high) in _NUMBERS.items():
        value = get_field(config, field)
        if not _is_number(value) or not low <= value <= high:
            bound = f"at least {low}" if high == math.inf else f"from {low} to {high}"
            yield field, f"is {value!r}, expected {bound}"
    for field in _ABOVE_ZERO:
        value = get_field(config, field)
        if not _is_number(value) or not 0 < value < math.inf:
            yield field, f"is {value!r}, expected a number above 0"
    start = config.mtl.start_step
    if start is not None and start < 0:
        yield "mtl.start_step", f"is {start}, expected at least 0, or None for 60% of the run"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _choice_problems(config):
    choices = {
        "dtype": ("float32", "bfloat16"),
        "data.name": DATASETS,
        "data.filter": ("lanczos", "bicubic", "bilinear"),
        "data.placement": ("auto", "device", "host"),
        "model.shared_from": (None, *STAGES),
        "train.keep_best": ("", "mAP", "rank-1"),
        "train.eval_on": ("held_out", "test"),
    }
    for field, allowed in choices.items():
        if get_field(config, field) not in allowed:
            yield field, f"is {get_field(config, field)!r}, expected one of {_spell(allowed)}"
    yield from _size_problems(config)
    yield from _sequence_problems("data.train_splits", config.data.train_splits, str)
    yield from _sequence_problems("model.levels", config.model.levels, str)
    yield from _sequence_problems("model.stripes", config.model.stripes, int)
    yield from _sequence_problems("model.stage_sizes", config.model.stage_sizes, int)
    if len(config.model.stage_sizes) != 4:
        count = len(config.model.stage_sizes)
        yield "model.stage_sizes", f"has {count} entries, expected 4, one a layer"
    for fraction in config.optim.decay_at:
        if not _is_number(fraction) or not 0 < fraction < 1:
            yield "optim.decay_at", f"has {fraction!r}, expected fractions between 0 and 1"


def _size_problems(config):
    size = config.data.size
    if len(size) != 2 or any(not isinstance(x, int) or isinstance(x, bool) for x in size):
        yield "data.size", f"is {tuple(size)!r}, expected (height, width) in pixels"
    elif min(size) < 32:
        yield "data.size", f"is {tuple(size)!r}, expected at least 32 pixels a side"


def _sequence_problems(field, values, kind):
    if not values:
        yield field, "is empty, expected at least one entry"
    for value in values:
        if not isinstance(value, kind) or isinstance(value, bool):
            yield field, f"has {value!r}, expected entries of type {kind.__name__}"
        elif kind is int and value < 1:
            yield field, f"has {value}, expected entries of at least 1"


def _contradictions(config):
    model, known = config.model, tuple(LEVEL_OF_STAGE)
    unknown = [stage for stage in model.levels if stage not in known]
    order = [known.index(stage) for stage in model.levels if stage in known]
    if unknown:
        yield "model.levels", f"has {_spell(unknown)}, expected stages out of {_spell(known)}"
    elif order != sorted(set(order)):
        yield "model.levels", f"is {_spell(model.levels)}, expected each once, low to high"
    if len(model.stripes) != len(model.levels):
        yield (
            "model.stripes",
            f"has {len(model.stripes)} entries, expected {len(model.levels)}, one a level",
        )
    elif not unknown:
        yield from _stripe_problems(config)
    allowed = SPLITS[config.data.name]
    for split in config.data.train_splits:
        if split not in allowed:
            yield "data.train_splits", f"has {split!r}, expected out of {_spell(allowed)}"
    if config.train.keep_best and not config.train.eval_every:
        yield "train.keep_best", "needs evaluations to choose by; set train.eval_every above 0"
    held_out = config.train.eval_every and config.train.eval_on == "held_out"
    if held_out and "val" in config.data.train_splits:
        yield "data.train_splits", "holds 'val', which eval_every judges on; use ('train',)"
    if config.init_from and config.model.pretrained:
        yield "init_from", "excludes model.pretrained; set one of the two to ''"


def _stripe_problems(config):
    for stage, stripes in zip(config.model.levels, config.model.stripes, strict=True):
        rows, columns = map_size(tuple(config.data.size), stage, config.model.last_stride)
        if rows % stripes:
            yield (
                "model.stripes",
                f"divides {stage} in {stripes}, but its map is {rows} x {columns} at data.size "
                f"{tuple(config.data.size)}: {rows} rows do not divide by {stripes}",
            )


def map_size(size: tuple[int, int], stage: str, last_stride: int) -> tuple[int, int]:
    """Return height and width of a stage's output for input images of `size`."""
    halvings = {"stem": 2, "layer1": 2, "layer2": 3, "layer3": 4, "layer4": 3 + last_stride}[stage]
    height, width = size
    for _ in range(halvings):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


def weighting_start(config: ConfigDict) -> int:
    """Return the step at which eq. 15 replaces the plain sum; past the end when disabled."""
    if not config.mtl.enabled:
        return config.train.steps + 1
    if config.mtl.start_step is None:
        return round(0.6 * config.train.steps)
    return config.mtl.start_step


def get_field(config: ConfigDict, field: str) -> Any:
    """Return the value at a dotted path such as 'optim.lr_heads'."""
    value = config
    for name in field.split("."):
        value = value[name]
    return value


def flatten(config: ConfigDict | dict, prefix: str = "") -> dict[str, Any]:
    """Return a dotted-path dictionary of plain JSON values, tuples as lists."""
    flat = {}
    for name, value in dict(config).items():
        if isinstance(value, ConfigDict | dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple) else value
    return flat


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return a line for each field whose change would change results, 'field: old -> new'."""
    lines = []
    for field in sorted(old.keys() | new.keys()):
        operational = any(field == name or field.startswith(name + ".") for name in OPERATIONAL)
        if not operational and old.get(field) != new.get(field):
            lines.append(f"{field}: {old.get(field)!r} -> {new.get(field)!r}")
    return lines


def _spell(values) -> str:
    return ", ".join(str(value) for value in values)
