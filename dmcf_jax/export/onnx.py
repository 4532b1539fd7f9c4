"""A run as ONNX: visible.onnx and infrared.onnx, for any program with an ONNX runtime.

Each takes `images`, uint8 [b h w 3] of any b, h and w, and gives `embeddings`, float32 [b d] of
unit length; resizing and normalising are inside. The computation is float32 whatever the run's.
"""

import contextlib
import importlib.util
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dmcf_jax.config.build import build_model
from dmcf_jax.config.validate import flatten
from dmcf_jax.errors import UserError
from dmcf_jax.export.stablehlo import make_embed, verify
from dmcf_jax.methods.dmcf.network import DMCF
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime.files import atomic_path

OPSET = 18
INSTALL = """\
python -m venv onnx_env
onnx_env/bin/pip install -c constraints.txt -e . onnx onnx-ir onnxruntime
onnx_env/bin/pip install --no-deps jax2onnx==0.17.1"""


def require_converter() -> None:
    """Refuse an environment that cannot write ONNX, before anything is loaded."""
    missing = [name for name in ("jax2onnx", "onnxruntime") if not importlib.util.find_spec(name)]
    if missing:
        raise UserError(
            f"--format=onnx needs {' and '.join(missing)}, which this environment lacks. jax2onnx "
            "asks for an older orbax-checkpoint than this library, so make an environment of its "
            f"own:\n{INSTALL}\nand use onnx_env/bin/python for this command."
        )


def export_onnx(trained: TrainedModel, folder: Path) -> None:
    """Write both files, only once onnxruntime gives the network's embeddings with them.

    Raises:
        UserError: if jax2onnx or onnxruntime is missing, or a file embeds otherwise.
    """
    require_converter()
    model = float32_model(trained)
    with contextlib.ExitStack() as stack:
        places = {
            name: stack.enter_context(
                atomic_path(folder / f"{name}.onnx", "Name another place with --out.")
            )
            for name in MODALITIES
        }
        for modality, place in places.items():
            place.write_bytes(_convert(trained, model, modality).SerializeToString())
        verify(load_onnx(places), trained, model)


def float32_model(trained: TrainedModel) -> DMCF:
    """Return the run's network in float32, in a form that converts.

    'library' does not: its 4-D window becomes a MaxPool over four axes, onnxruntime has three.
    """
    config = trained.config.copy_and_resolve_references()
    config.dtype = "float32"
    return build_model(config, trained.model.identities, form="product")


def load_onnx(places: dict[str, Path]) -> Callable[[np.ndarray, str], np.ndarray]:
    """Return embed(images, modality) computed by onnxruntime with the file of each modality."""
    import onnxruntime

    sessions = {
        name: onnxruntime.InferenceSession(place, providers=["CPUExecutionProvider"])
        for name, place in places.items()
    }
    return lambda images, modality: sessions[modality].run(None, {"images": images})[0]


def _convert(trained, model, modality) -> Any:
    for name in ("jax2onnx", "onnx_ir"):
        # Plugins for libraries that are not used here complain that these are not installed.
        logging.getLogger(name).setLevel(logging.ERROR)
    import jax2onnx
    import onnx

    weights = leaves_by_path(jax.tree.map(jnp.asarray, trained.variables))
    embed = make_embed(trained, model, modality)
    converted = jax2onnx.to_onnx(
        lambda images: embed(weights, images),
        [jax.ShapeDtypeStruct(("b", "h", "w", 3), jnp.uint8)],
        model_name=f"dmcf_{modality}",
        opset=OPSET,
        input_names=["images"],
        output_names=["embeddings"],
    )
    # Notes on shapes in between, some of them in another axis order; runtimes infer their own.
    del converted.graph.value_info[:]
    facts = {"config": json.dumps(flatten(trained.config)), "step": str(trained.step)}
    onnx.helper.set_model_props(converted, facts)
    return converted
