"""What each field of a config may hold: one line a field, its meaning is in configs/default.py."""

import math
from collections.abc import Callable
from typing import Any

from dmcf_jax.data.augment import PAD_MODES, VIEWS
from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.data.decode import FILTERS, MAX_SIDE
from dmcf_jax.data.erase import FILLS
from dmcf_jax.data.prepare_input import CHANNELS
from dmcf_jax.data.wide_values import CHOICES
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.dmcf.losses import KINDS
from dmcf_jax.methods.network.backbones import BACKBONES, FC6
from dmcf_jax.methods.network.heads import HEADS
from dmcf_jax.methods.network.levels import LEVEL_OF_STAGE
from dmcf_jax.methods.network.pool import POOLS
from dmcf_jax.methods.network.two_streams import INPUTS
from dmcf_jax.methods.optimizer import NAMES as OPTIMIZERS
from dmcf_jax.models.resnet import STAGES

LONGEST = 2**31 - 1  # steps are counted in int32

# A check returns what is wrong with a value, None for nothing.
Check = Callable[[Any], str | None]


def whole(low: int, high: int = LONGEST) -> Check:
    """Accept whole numbers from `low` to `high`."""

    def check(value):
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        bound = f"of at least {low}" if high == LONGEST else f"from {low} to {high}"
        return None if fits else f"is {_shown(value)}, expected a whole number {bound}"

    return check


def number(low: int | float, high: int | float = math.inf, above: bool = False) -> Check:
    """Accept finite numbers from `low` to `high`; `above` leaves out `low` itself."""

    def check(value):
        fits = _is_number(value) and low <= value <= high and not (above and value == low)
        bound = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
        bound = f"above {low}" if above else bound
        return None if fits else f"is {_shown(value)}, expected a number {bound}"

    return check


def choice(*allowed: Any) -> Check:
    """Accept one of `allowed`."""

    def check(value):
        fits = any(type(value) is type(one) and value == one for one in allowed)
        listed = ", ".join(str(one) for one in allowed)
        return None if fits else f"is {_shown(value)}, expected one of {listed}"

    return check


def flag(value: Any) -> str | None:
    """Accept True and False."""
    return None if isinstance(value, bool) else f"is {_shown(value)}, expected True or False"


def text(value: Any) -> str | None:
    """Accept text without a NUL, which no path may hold."""
    fits = isinstance(value, str) and "\0" not in value
    return None if fits else f"is {_shown(value)}, expected text in quotes"


def several(entry: Check, count: int | None = None, least: int = 1) -> Check:
    """Accept a tuple or list whose every entry passes: `count` of them, or at least `least`."""

    def check(values):
        if not isinstance(values, tuple | list):
            return f"is {_shown(values)}, expected entries in brackets such as (1, 2)"
        if count is not None and len(values) != count:
            return f"is {_shown(tuple(values))}, expected {count} entries"
        if len(values) < least:
            return "is empty, expected at least one entry"
        wrong = next(filter(None, map(entry, values)), None)
        return f"is {_shown(tuple(values))}: an entry {wrong}" if wrong else None

    return check


def optional(entry: Check) -> Check:
    """Accept None as well."""
    return lambda value: None if value is None else entry(value)


_TRAIN_SPLITS = dict.fromkeys(name for d in DATASETS.values() for name in d.train_splits)
FIELDS: dict[str, Check] = {
    "variant": text,
    "seed": whole(0, 2**32 - 1),
    "dtype": choice("float32", "bfloat16"),
    "init_from": text,
    "method.name": choice(*METHODS),
    "data.name": choice(*DATASETS),
    "data.data_dir": text,
    "data.cache_dir": text,
    "data.trial": whole(1, 10),
    "data.train_splits": several(choice(*_TRAIN_SPLITS)),
    "data.size": several(whole(32, MAX_SIDE), count=2),
    "data.filter": choice(*FILTERS),
    "data.pad": whole(0, MAX_SIDE),
    "data.pad_mode": choice(*PAD_MODES),
    "data.flip": number(0, 1),
    "data.channel_exchange": number(0, 1),
    "data.random_grey": number(0, 1),
    "data.tone": number(0, 2),
    "data.contrast": number(0, 2),
    "data.invert": number(0, 1),
    "data.erase": number(0, 1),
    "data.erase_area": several(number(0, 1, above=True), count=2),
    "data.erase_fill": choice(*FILLS),
    "data.views": choice(*VIEWS),
    "data.input": choice(*CHANNELS),
    "data.standardise": flag,
    "data.wide_range": choice(*CHOICES),
    "data.placement": choice("auto", "device", "host"),
    "sampler.P": whole(2, 65536),
    "sampler.K": whole(1, 65536),
    "model.backbone": choice(*BACKBONES),
    "model.stage_sizes": several(whole(1, 1000), count=4),
    "model.width": whole(1, 65536),
    "model.last_stride": whole(1, 2),
    "model.shared_from": optional(choice(*STAGES)),
    "model.levels": several(choice(*LEVEL_OF_STAGE)),
    "model.stripes": several(whole(1, MAX_SIDE)),
    "model.reduce_global": flag,
    "model.embedding_dim": whole(1, 65536),
    "model.neck": choice("relu", "batch_norm"),
    "model.head": choice(*HEADS),
    "model.dropout": number(0, 0.99),
    "model.pool": choice(*POOLS, FC6),
    "model.gem_p": number(0.1, 100),
    "model.input": choice(*INPUTS),
    "model.pretrained": text,
    "model.block_start": choice("shortcut", "full"),
    "model.classifier_start": choice("random", "means"),
    "model.remat": flag,
    "model.non_local": several(whole(0, 1000), count=4),
    "loss.margin": number(0, above=True),
    "loss.kind": choice(*KINDS),
    "loss.triplet_weight": number(0, above=True),
    "loss.temperature": number(0, above=True),
    "loss.triplet_start_step": optional(whole(0)),
    "loss.softmax_scale": number(0),
    "loss.label_smoothing": number(0, 0.9),
    "loss.intra_margin": number(0, above=True),
    "loss.intra_weight": number(0),
    "loss.contrastive_weight": number(0, above=True),
    "loss.reversal": number(0),
    "loss.mining": choice("hard", "random"),
    "loss.normalise": choice("feature", "batch"),
    "mtl.enabled": flag,
    "mtl.start_step": optional(whole(0)),
    "optim.name": choice(*OPTIMIZERS),
    "optim.lr_backbone": number(0, above=True),
    "optim.lr_heads": number(0, above=True),
    "optim.random_start_factor": number(0, above=True),
    "optim.lr_log_variance": number(0, above=True),
    "optim.lr_discriminator": number(0, above=True),
    "optim.lr_translator": number(0, above=True),
    "optim.beta1": number(0, 0.9999),
    "optim.momentum": number(0, 0.9999),
    "optim.nesterov": flag,
    "optim.weight_decay": number(0),
    "optim.warmup_steps": whole(0),
    "optim.schedule": choice("steps", "cosine"),
    "optim.decay_at": several(number(0, 1), least=0),
    "optim.decay_factor": number(0, above=True),
    "ema.decay": number(0, 0.99999),
    "translation.width": whole(1, 65536),
    "translation.blocks": whole(0, 16),
    "translation.shrink": whole(1, 4),
    "translation.gan_weight": number(0),
    "translation.reconstruction_weight": number(0),
    "translation.cycle_weight": number(0),
    "translation.latent_weight": number(0),
    "translation.alone": number(0, 0.9),
    "translation.joint_factor": number(0),
    "fit.pca": whole(1, 65536),
    "fit.iterations": whole(1),
    "fit.tolerance": number(0),
    "fit.pairs": choice("images", "means"),
    "train.steps": whole(1),
    "train.checkpoint_every": whole(1),
    "train.log_every": whole(1),
    "train.skip_non_finite": whole(0),
    "train.eval_every": whole(0),
    "train.eval_on": choice("held_out", "test"),
    "train.held_out": number(0, 0.9),
    "train.keep_best": choice("", "mAP", "rank-1"),
    "train.summary_people": whole(0),
    "train.tracker": choice("", "wandb", "mlflow"),
    "evaluation.batch_size": whole(1, 65536),
    "evaluation.flip": flag,
}


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, float) and math.isfinite(value)


def _shown(value: Any) -> str:
    written = repr(value)
    return written if len(written) <= 80 else written[:77] + "..."
