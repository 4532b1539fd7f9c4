"""Checking a config before anything is loaded or compiled; comparing and writing configs."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from ml_collections import ConfigDict

from dmcf_jax.config.fields import FIELDS
from dmcf_jax.configs import default
from dmcf_jax.data.augment import Augmentation
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.dmcf.losses import OF_PAIRS
from dmcf_jax.methods.method import METHOD_ROOMS, VIEWS
from dmcf_jax.methods.network.backbones import BACKBONES, FC6
from dmcf_jax.methods.network.heads import DROPPING
from dmcf_jax.methods.network.levels import LEVEL_OF_STAGE

# Fields that may differ when a run is resumed: they change no result. (skip_non_finite above 0
# compiles another program than 0, which rounds differently; a run that met a NaN must be able to
# resume.)
OPERATIONAL = (
    "data.data_dir",
    "data.cache_dir",
    "data.placement",
    "train.checkpoint_every",
    "train.log_every",
    "train.skip_non_finite",
    "train.summary_people",
    "train.tracker",
    "evaluation",
)


def validate(config: ConfigDict) -> None:
    """Refuse a config that cannot be run.

    Raises:
        UserError: naming every wrong field, its value and what is allowed, all at once.
    """
    problems = [Problem(field, f"{field}: {problem}") for field, problem in _problems(config)]
    if problems:
        raise UserError.listing(
            "this config cannot be run:",
            problems,
            "Change a field with --config.<field>=<value>; configs/default.py explains each.",
        )


def _problems(config: ConfigDict) -> Iterator[tuple[str, str]]:
    flat = flatten(config)
    single = [(field, "is missing") for field in FIELDS if field not in flat]
    single += [(field, _unknown(field)) for field in flat if field not in FIELDS]
    found = {field: check(flat[field]) for field, check in FIELDS.items() if field in flat}
    single += [(field, problem) for field, problem in found.items() if problem]
    yield from single
    # Fields are compared with each other only once each is valid by itself.
    if not single:
        yield from _contradictions(config)


def _unknown(field: str) -> str:
    near = difflib.get_close_matches(field, FIELDS, 1)
    return "is not a field of a config" + (f"; did you mean {near[0]}?" if near else "")


def _contradictions(config):
    yield from _unread_fields(config)
    if METHODS[config.method.name].reads_field("model.levels"):
        yield from _level_problems(config)
        yield from _backbone_problems(config)
    allowed = DATASETS[config.data.name].train_splits
    for split in config.data.train_splits:
        if split not in allowed:
            yield "data.train_splits", f"has {split!r}, expected out of {_spell(allowed)}"
    if config.train.keep_best and not config.train.eval_every:
        yield "train.keep_best", "needs evaluations to choose by; set train.eval_every above 0"
    held_out = config.train.eval_every and config.train.eval_on == "held_out"
    if held_out and "val" in config.data.train_splits:
        yield "data.train_splits", "holds 'val', which eval_every evaluates on; use ('train',)"
    if config.data.random_grey and config.data.input == "grey":
        yield "data.random_grey", "has no effect on data.input='grey'; set one of the two"
    if config.data.erase_area[0] > config.data.erase_area[1]:
        yield "data.erase_area", f"is {tuple(config.data.erase_area)}, expected least, greatest"
    if config.data.views != "one" and config.loss.kind in OF_PAIRS:
        yield "loss.kind", f"is {config.loss.kind!r}, which takes pairs; use data.views='one'"
    if config.optim.schedule == "cosine" and config.optim.decay_at:
        yield "optim.decay_at", "is for optim.schedule='steps'; use () with 'cosine'"
    if config.model.classifier_start == "means" and not config.loss.softmax_scale:
        yield "model.classifier_start", "is 'means', which needs loss.softmax_scale above 0"
    if config.init_from and config.model.pretrained:
        yield "init_from", "excludes model.pretrained; set one of the two to ''"


def _unread_fields(config):
    """Name the fields that were changed although the config's method does not read them."""
    method, defaults = METHODS[config.method.name], flatten(default.get_config())
    for field, value in flatten(config).items():
        if method.reads_field(field) or value == defaults[field]:
            continue
        concerns = field == VIEWS or field.partition(".")[0] in METHOD_ROOMS
        if concerns or (not method.trained and _trains(field)):
            yield (
                field,
                f"is {value!r}, but the method {config.method.name} does not read it; "
                f"expected {defaults[field]!r}",
            )
    if not method.trained and config.train.steps != 1:
        yield (
            "train.steps",
            f"is {config.train.steps}; {config.method.name} has no training steps, so expected 1",
        )


def _trains(field):
    """Return whether a field concerns training images alone."""
    return field.startswith("sampler.") or field in (
        "data.input",
        "data.standardise",
        "ema.decay",
        *(f"data.{name}" for name in Augmentation._fields if name != "form"),
    )


def _backbone_problems(config):
    model, defaults = config.model, default.get_config().model
    for name in BACKBONES[model.backbone].unread:
        if model[name] != defaults[name]:
            yield (
                f"model.{name}",
                f"is {model[name]!r}, but the backbone {model.backbone} does not read it; "
                f"expected {defaults[name]!r}",
            )
    if model.pool == FC6:
        yield from _fc6_problems(config)
    if model.dropout and model.head not in DROPPING:
        heads = " or ".join(DROPPING)
        yield "model.dropout", f"has no effect on model.head={model.head!r}; use {heads}, or 0"
    if model.head in ("hidden", "fc7") and not model.reduce_global:
        yield "model.reduce_global", f"is False, but model.head={model.head!r} has a layer for G"


def _fc6_problems(config):
    model = config.model
    if model.backbone != "alexnet":
        yield "model.pool", f"is {FC6!r}, which needs model.backbone='alexnet'"
    if tuple(model.levels) != ("layer4",) or tuple(model.stripes) != (1,):
        yield "model.levels", f"is {_spell(model.levels)}, but {FC6!r} needs layer4 in one stripe"
    elif min(_map_size(config, "layer4")) < 3:
        text = f"is {tuple(config.data.size)}, too small for {FC6!r}, which needs 3 x 3 positions"
        yield "data.size", text


def _map_size(config, stage):
    model = config.model
    return BACKBONES[model.backbone].map_size(tuple(config.data.size), stage, model.last_stride)


def _level_problems(config):
    model = config.model
    order = [tuple(LEVEL_OF_STAGE).index(stage) for stage in model.levels]
    if order != sorted(set(order)):
        yield "model.levels", f"is {_spell(model.levels)}, expected each once, low to high"
    if len(model.stripes) != len(model.levels):
        yield (
            "model.stripes",
            f"has {len(model.stripes)} entries, expected {len(model.levels)}, one a level",
        )
    else:
        yield from _stripe_problems(config)


def _stripe_problems(config):
    for stage, stripes in zip(config.model.levels, config.model.stripes, strict=True):
        rows, columns = _map_size(config, stage)
        if stripes > rows:
            yield (
                "model.stripes",
                f"divides {stage} in {stripes}, but its map has only {rows} x {columns} positions "
                f"at data.size {tuple(config.data.size)}",
            )


def flatten(config: ConfigDict | dict, prefix: str = "") -> dict[str, Any]:
    """Return a dotted-path dictionary of plain JSON values, tuples as lists."""
    flat = {}
    for name, value in dict(config).items():
        if isinstance(value, ConfigDict | dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple) else value
    return flat


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Problem]:
    """Return each field whose change would change results, as 'field: old -> new'."""
    found = []
    for field in sorted(old.keys() | new.keys()):
        operational = any(field == name or field.startswith(name + ".") for name in OPERATIONAL)
        if not operational and old.get(field) != new.get(field):
            text = f"{field}: {old.get(field)!r} -> {new.get(field)!r}"
            found.append(Problem(field, text))
    return found


def _spell(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
