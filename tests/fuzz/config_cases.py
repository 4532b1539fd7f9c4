"""Configs with random wrong types, ranges, unknown and missing fields, and contradictions."""

import sys
from pathlib import Path
from unittest import mock

from absl import flags
from hypothesis import strategies as st
from ml_collections import ConfigDict
from support.verdict import refusal

from dmcf_jax.config.build import build
from dmcf_jax.config.fields import FIELDS
from dmcf_jax.config.read import MISTAKES, define_config, sentence
from dmcf_jax.config.validate import validate
from dmcf_jax.configs import default, regdb, synthetic, sysu_mm01

BASES = (default, regdb, synthetic, sysu_mm01)
CONFIGS = Path(default.__file__).parent
_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([2**31, 2**63, 10**400, -(2**40)]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=6),
    st.binary(max_size=3),
    st.builds(lambda: ConfigDict({"a": 1})),
    st.builds(dict),
    st.lists(st.one_of(st.integers(-1, 300), st.none(), st.text(max_size=3)), max_size=4),
    st.lists(st.integers(1, 300), max_size=4).map(tuple),
)
_STAGES = st.sampled_from(["stem", "layer1", "layer2", "layer3", "layer4", "layer5"])
# Values that make sense alone, so that contradictions are reached.
_PLAUSIBLE = {
    "data.name": st.sampled_from(["regdb", "sysu_mm01", "llcm", "own"]),
    "data.train_splits": st.sampled_from([("train",), ("train", "val"), ("val",), ("test",)]),
    "data.size": st.tuples(st.integers(30, 300), st.integers(30, 150)),
    "model.levels": st.lists(_STAGES, max_size=4).map(tuple),
    "model.stripes": st.lists(st.integers(0, 6), max_size=4).map(tuple),
    "model.backbone": st.sampled_from(["resnet", "alexnet"]),
    "model.pool": st.sampled_from(["max", "fc6"]),
    "model.shared_from": st.one_of(st.none(), _STAGES),
    "model.pretrained": st.just("file.pth"),
    "init_from": st.just("runs/other"),
    "train.eval_every": st.integers(0, 3),
    "train.eval_on": st.sampled_from(["held_out", "test"]),
    "train.keep_best": st.sampled_from(["", "mAP", "rank-1", "rank-5"]),
    "optim.decay_at": st.lists(st.floats(0, 1), max_size=3).map(tuple),
    "optim.schedule": st.sampled_from(["steps", "cosine"]),
    "optim.warmup_steps": st.integers(0, 10),
    "data.erase_area": st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    "data.input": st.sampled_from(["rgb", "grey"]),
    "data.random_grey": st.floats(0, 1),
    "loss.softmax_scale": st.floats(0, 30),
    "mtl.start_step": st.one_of(st.none(), st.integers(0, 10**7)),
}
_FIELD = st.one_of(
    st.sampled_from(sorted(FIELDS)),
    st.sampled_from(["data", "model", "sampler.Q", "optim.lr_head", "nothing", "train.steps.a"]),
)


@st.composite
def changed_configs(draw):
    """Draw (base config, [(field, value or '<gone>')])."""
    changes = []
    for field in draw(st.lists(_FIELD, min_size=1, max_size=5)):
        sensible = _PLAUSIBLE.get(field, _JUNK)
        values = st.one_of(_JUNK, sensible, sensible, st.just("<gone>"))
        changes.append((field, draw(values)))
    return draw(st.sampled_from(BASES)), changes


def check_config(case, build: bool = False) -> str | None:
    """Validate a changed config; with `build`, one that passes must give a network."""
    base, changes = case
    config = base.get_config()
    try:
        for field, value in changes:
            _set(config, field, value)
    except MISTAKES as error:  # a config file that does this is refused when read
        return sentence(error)
    found = refusal(lambda: validate(config))
    if found is None and build:
        _build(config)
    return found


def _set(config, field, value):
    *groups, name = field.split(".")
    with config.unlocked(), config.ignore_type():
        place = config
        for group in groups:
            place = place.get(group) if isinstance(place, ConfigDict) else None
        if not isinstance(place, ConfigDict):
            return
        if value != "<gone>":
            place[name] = value
        elif name in place:
            del place[name]


def _build(config):
    """Trace the network, of one narrow block a stage, and make its optimiser."""
    config.model.width, config.model.embedding_dim = 2, 4
    config.model.stage_sizes = (1, 1, 1, 1)
    size = tuple(min(side, 160) for side in config.data.size)
    if size == tuple(config.data.size):
        build(config, 5).state_shapes()
    else:
        build(config, 5)


overrides = st.lists(
    st.tuples(
        st.one_of(_FIELD, st.text("abc._[]", max_size=8)),
        st.one_of(
            st.sampled_from(["3", "-1", "1e3", "0.5", "nan", "true", "None", "(1,2)", "(1,", "''"]),
            st.text(max_size=8),
        ),
    ),
    min_size=1,
    max_size=3,
)


def check_overrides(case) -> str | None:
    """Parse --config.<field>=<value> as the commands do; what parses is validated."""
    values = flags.FlagValues()
    holder = define_config("Name or path", flag_values=values)
    words = ["train", f"--config={CONFIGS}/regdb.py", *(f"--config.{f}={v}" for f, v in case)]
    try:
        with mock.patch.object(sys, "argv", words):  # where config flags look for overrides
            values(words)
        config = holder.value
    except MISTAKES as error:
        message = sentence(error)
        assert " " in message and len(message) < 2000, repr(error)
        return message
    return refusal(lambda: validate(config))
