"""config.json of a shared model, which anybody may have written: its problems, or its config."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from dmcf_jax import __version__
from dmcf_jax.config.fields import FIELDS, number, optional, several, whole
from dmcf_jax.config.validate import flatten, validate
from dmcf_jax.configs import default
from dmcf_jax.data.wide_values import WideRange
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.export.hub.layout import CONFIG, FORMAT, MOST_PIXELS, NOT_SHARED, printable
from dmcf_jax.runs.folder import nested_config


def _range(value: Any) -> str | None:
    """Accept None, or two numbers of which the first is not the greater one."""
    wrong = optional(several(number(-(2**32), 2**32), count=2))(value)
    if wrong or value is None or value[0] <= value[1]:
        return wrong
    return f"is {value}, expected lowest, highest"


# What the file holds beside the fields of the config.
ENTRIES = {
    "identities": whole(1),
    "wide_range": _range,
    "step": whole(0),
}


class SharedConfig(NamedTuple):
    """What config.json holds.

    Attributes:
        config: the run's, with this machine's places.
        identities: classes of every classifier.
        wide_range: values of pictures of more than eight bits that become 0 and 255.
        step: of the checkpoint.
    """

    config: ConfigDict
    identities: int
    wide_range: WideRange
    step: int


def config_content(config: ConfigDict, identities: int, wide_range: WideRange, step: int) -> dict:
    """Return what config.json is to hold."""
    fields = {k: v for k, v in flatten(config).items() if k not in NOT_SHARED}
    return {
        "format": FORMAT,
        "library_name": "dmcf_jax",
        "dmcf_jax": __version__,
        "identities": identities,
        "step": step,
        "wide_range": list(wide_range) if wide_range else None,
        "config": fields,
    }


def check_config(content: Any) -> SharedConfig | list[Problem]:
    """Return what config.json holds, or everything that is wrong with it.

    Args:
        content: as JSON gave it.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        text = f"{CONFIG} is of no format that this version reads (expected format: {FORMAT})"
        return [Problem(CONFIG, text)]
    problems = [
        Problem(f"{CONFIG}: {about}", f"{CONFIG}: {text}") for about, text in _wrong(content)
    ]
    if problems:
        return problems
    shared = _read(content)
    try:
        validate(shared.config)
    except UserError as error:
        return [Problem(f"{CONFIG}: {p.about}", f"{CONFIG}: {p.text}") for p in error.problems]
    return shared


def _wrong(content: dict) -> Iterator[tuple[str, str]]:
    for name, check in ENTRIES.items():
        wrong = check(content[name]) if name in content else "is missing"
        if wrong:
            yield name, f"{name} {wrong}"
    fields = content.get("config")
    if not isinstance(fields, dict):
        yield "config", "config is missing"
        return
    written = printable(content.get("dmcf_jax"))
    for name, value in fields.items():
        if name not in FIELDS or name in NOT_SHARED:
            text = (
                f"the field {printable(name)} (of version {written}) is not one of a shared model"
            )
            yield printable(name), f"{text} of dmcf_jax {__version__}"
        elif wrong := FIELDS[name](value):
            yield name, f"{name} {wrong}"
    size = fields.get("data.size")
    if not FIELDS["data.size"](size) and math.prod(size or ()) > MOST_PIXELS:
        yield "data.size", f"data.size is {size}, expected at most {MOST_PIXELS} pixels"


def _read(content: dict) -> SharedConfig:
    """Return the entries; fields that were added later have their defaults."""
    fields = flatten(default.get_config()) | content["config"]
    limits = content["wide_range"]
    return SharedConfig(
        nested_config(fields),
        content["identities"],
        (limits[0], limits[1]) if limits else None,
        content["step"],
    )
