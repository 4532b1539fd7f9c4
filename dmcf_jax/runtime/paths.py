"""Paths as people write them: `~` for their home, and addresses that are no folders."""

import os
import re
from pathlib import Path

from dmcf_jax.errors import UserError

HUB = "hf://"  # weights of the Hugging Face hub, which are fetched
# Two slashes become one in a Path: gs://bucket, gs:/bucket.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/")


def local_path(path: str | os.PathLike, about: str = "") -> Path:
    """Return a path with `~` replaced by the home folder.

    Args:
        about: what names it, such as a flag; for the message.

    Raises:
        UserError: it is an address such as gs://bucket/folder, or a home that is not known.
    """
    text = os.fspath(path)
    if _ADDRESS.match(text):
        raise UserError(
            f"{about}{'=' * bool(about)}{text} is an address, not a folder of this machine: mount "
            "it (gcsfuse, s3fs, rclone mount) and name the mounted folder, or copy it",
            about=about or text,
        )
    expanded = os.path.expanduser(text)
    if text.startswith("~") and expanded == text and not os.path.exists(text):
        raise UserError(
            f"{about}{'=' * bool(about)}{text}: this home folder is not known; write it in full",
            about=about or text,
        )
    return Path(expanded)
