"""README.md of a shared model, its card: what it is, what it saw, what was measured, how to use it.

It is written for a stranger who finds the model. Where something is not known, it says so.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from dmcf_jax.data.datasets import DATASETS
from dmcf_jax.evaluation.results import markdown_table
from dmcf_jax.export.hub.layout import LICENCE
from dmcf_jax.export.hub.metrics import RANDOM
from dmcf_jax.methods import METHODS
from dmcf_jax.models.tree_paths import count
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.weights.synthetic import NAME as PACKAGED

APACHE = "apache-2.0"
OTHER = "other"  # the hub's word for a licence that it has no name for

OWN_STARTS = (RANDOM, PACKAGED)  # weights that no picture of others went into

_USE = """```python
from dmcf_jax import load_model, rank

model = load_model("{address}")  # or the path of this folder
queries = model.embed(["night.jpg"], "infrared")
gallery = model.embed(["day_1.jpg", "day_2.jpg"], "visible")
scores, rows = rank(queries, gallery, top=2)
```"""


class Card(NamedTuple):
    """What a card is written from.

    Attributes:
        trained: the run.
        metrics: what metrics.json holds.
        licence: identifier of the hub, such as 'apache-2.0'; 'other' for none.
        repository: 'owner/name'; None where it is not uploaded yet.
    """

    trained: TrainedModel
    metrics: Mapping[str, Any]
    licence: str
    repository: str | None

    def text(self) -> str:
        """Return the whole README.md."""
        parts = [
            self._front_matter(),
            f"# {self._title()}\n",
            *(f"{part}\n" for part in self._about()),
            "## Trained on\n",
            f"{self._data()}\n",
            "## Measured\n",
            *(f"{part}\n" for part in self._measured()),
            "## Use\n",
            _USE.format(address=f"hf://{self.repository or 'OWNER/NAME'}"),
            "\n`dmcf embed`, `dmcf search` and `dmcf evaluate` take the same address as `--model`, "
            "a new run as\n`--config.init_from`. Embeddings have unit length; compare them by "
            "their dot product.\n",
            "## Licence\n",
            f"See [{LICENCE}]({LICENCE}).\n",
        ]
        return "\n".join(parts)

    def _front_matter(self) -> str:
        method = self.trained.config.method.name
        tags = ["person-re-identification", "visible-infrared", "cross-modality", "jax", method]
        if self._is_synthetic():
            tags.append("synthetic-data")
        lines = ["library_name: dmcf_jax", "pipeline_tag: image-feature-extraction"]
        lines += [f"license: {self.licence}"]
        if self.licence == OTHER:
            lines += ["license_name: see-license", f"license_link: {LICENCE}"]
        lines += ["tags:", *(f"  - {json.dumps(tag)}" for tag in tags)]
        return "\n".join(["---", *lines, "---\n"])

    def _title(self) -> str:
        config = self.trained.config
        variant = f", variant {config.variant}" if config.variant else ""
        return f"{METHODS[config.method.name].title}{variant}, trained with dmcf_jax"

    def _about(self) -> list[str]:
        config, variables = self.trained.config, self.trained.variables
        height, width = config.data.size
        return [
            "Visible-infrared person re-identification: the network embeds pictures of people from "
            "ordinary and\nfrom infrared cameras, so that those of one person are near each other.",
            f"- input: {height} x {width} pixels, resized by the library\n"
            f"- variables: {count(variables):,} numbers\n"
            f"- started from: {self.metrics['started_from']}\n"
            f"- checkpoint: step {self.trained.step} of {config.train.steps} "
            f"({self.trained.chosen_by}), seed {config.seed}\n"
            f"- written by dmcf_jax {self.metrics['dmcf_jax']}",
            "Pictures of people and their embeddings are personal data. Whoever uses this model "
            "needs a lawful\nreason to recognise these people.",
        ]

    def _is_synthetic(self) -> bool | None:
        return (self.metrics["trained_on"] or {}).get("synthetic")

    def _data(self) -> str:
        known = self.metrics["trained_on"]
        if known is None:
            return "The run did not record its data: what it was trained on is not known."
        return (
            f"{self._kind(known)} {known['people']} people were trained on. The SHA-256 of the "
            "records is in metrics.json."
        )

    def _kind(self, known: Mapping[str, Any]) -> str:
        dataset = DATASETS[known["dataset"]]
        trial = f", trial {known['trial']}" if known["trial"] else ""
        if known["synthetic"]:
            return (
                f"**Synthetic people**, rendered in the layout of {dataset.title}: no pictures of "
                "real people.\nWhat the model does on real pictures is not known."
            )
        if dataset.published is None:
            return "Pictures of the person who trained it, which are not public."
        if known["official"]:
            return f"{dataset.title}{trial}, with the published counts."
        text = f"Data in the layout of {dataset.title}{trial} without its published counts."
        return text + " Whether they are synthetic is not recorded." * (known["synthetic"] is None)

    def _measured(self) -> list[str]:
        results = self.metrics["results"]
        if not results:
            return ["Nothing was measured at this checkpoint."]
        notes = dict.fromkeys(note for result in results for note in result.get("notes", ()))
        said = [
            "In percent, by the protocols of dmcf_jax. metrics.json has the exact numbers, "
            "the definition of\neach protocol, and the hashes of galleries and data.",
            markdown_table(results).strip(),
            *notes,
        ]
        if self._is_synthetic() and self._tested_on_its_own_data():
            said.append(
                "These are figures of synthetic people. They are no figures of the real data set "
                "whose protocol\nthey use."
            )
        return said

    def _tested_on_its_own_data(self) -> bool:
        records = self.metrics["trained_on"]["records_sha256"]
        results = self.metrics["results"]
        return all(each.get("data", {}).get("records_sha256") == records for each in results)


def default_licence(metrics: Mapping[str, Any]) -> str:
    """Return the licence of a model whose owner names none.

    Apache-2.0, that of this library, where only its own people were ever seen; otherwise none, as
    agreements on data or on the weights that a run started from may restrict it.
    """
    own = (metrics["trained_on"] or {}).get("synthetic")
    return APACHE if own and metrics["started_from"] in OWN_STARTS else OTHER


def licence_text(licence: str) -> str:
    """Return the file LICENSE: a reference to the terms, not their text."""
    if licence == APACHE:
        return (
            "The weights in this folder are given under the Apache License, Version 2.0:\n"
            "https://www.apache.org/licenses/LICENSE-2.0\n"
        )
    if licence == OTHER:
        return (
            "No licence was chosen for the weights in this folder. Ask the person who shared\n"
            "them. Agreements on the data that they were trained on may restrict their use.\n"
        )
    return f"The weights in this folder are given under: {licence}\n"
