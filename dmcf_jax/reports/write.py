"""The files of a result: JSON, Markdown table, CMC curve as CSV and as a figure."""

import json
import os
from collections.abc import Mapping

from dmcf_jax.evaluation.results import cmc_csv, markdown_table
from dmcf_jax.evaluation.verification_table import verification_table
from dmcf_jax.runtime.files import write_atomically


def write_report(result: Mapping, folder: str | os.PathLike, name: str | None = None) -> list[str]:
    """Write `<name>.json`, `.md`, `.csv`, `.png` and `.svg` under `folder`; return the paths.

    Each file appears complete or not at all.

    Args:
        name: by default the protocol's, such as sysu_mm01/all/single/python-seeded.

    Raises:
        UserError: a file cannot be written.
    """
    from dmcf_jax.reports.figures.cmc_panels import cmc_figure  # matplotlib loads slowly

    stem = os.path.join(os.fspath(folder), name or result["protocol"])
    verified = verification_table([result])
    contents = {
        ".json": (json.dumps(result, indent=2) + "\n").encode(),
        ".md": "\n".join(filter(None, [markdown_table([result]), verified])).encode(),
        ".csv": cmc_csv(result).encode(),
        **cmc_figure(result),
    }
    for suffix, content in contents.items():
        write_atomically(stem + suffix, content, "Name another folder.")
    return [stem + suffix for suffix in contents]
