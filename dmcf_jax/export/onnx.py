"""ONNX export, an optional format: visible.onnx and infrared.onnx, for any ONNX runtime.

The converter jax2onnx requires an older orbax-checkpoint than dmcf_jax, so that no extra of this
package can install it; docs/export.md describes an environment for it.

Each file takes `images`, uint8 [b h w 3] of any b, h and w, and returns `embeddings`, float32
[b d] of unit length. The computation is float32 whatever the run's dtype.
"""

import contextlib
import importlib.util
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dmcf_jax.config.build import build_model
from dmcf_jax.config.validate import flatten
from dmcf_jax.errors import UserError
from dmcf_jax.export.embed_function import make_embed
from dmcf_jax.export.verify import verify
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.runs.load import TrainedModel
from dmcf_jax.runtime.console import quieter
from dmcf_jax.runtime.files import atomic_path

OPSET = 18
INSTALL = "pip install onnx onnx-ir onnxruntime && pip install --no-deps jax2onnx==0.17.1"


def require_converter() -> None:
    """Refuse an environment that cannot write ONNX, before anything is loaded.

    Raises:
        UserError: jax2onnx or onnxruntime is not installed.
    """
    missing = [name for name in ("jax2onnx", "onnxruntime") if not importlib.util.find_spec(name)]
    if missing:
        raise UserError(
            f"--format=onnx needs {' and '.join(missing)}. Install dmcf_jax in a new environment, "
            f"then, as described in docs/export.md:\n{INSTALL}",
            about="--format",
        )


def export_onnx(trained: TrainedModel, path: Path) -> None:
    """Write both files to the folder `path`, after their embeddings were verified.

    Raises:
        UserError: the converter is missing, or a file does not reproduce the run.
    """
    require_converter()
    model = float32_model(trained)
    with contextlib.ExitStack() as stack:
        files = {
            name: stack.enter_context(
                atomic_path(path / f"{name}.onnx", "Name another place with --out.")
            )
            for name in MODALITIES
        }
        for modality, file in files.items():
            file.write_bytes(_convert(trained, model, modality).SerializeToString())
        verify(load_onnx(files), trained, model)


def float32_model(trained: TrainedModel) -> nn.Module:
    """Return the run's network in float32, with convolutions that convert.

    Those of 'xla' do not: their 4-D window of max pooling becomes a MaxPool over four axes, and
    onnxruntime supports three.
    """
    config = trained.config.copy_and_resolve_references()
    config.dtype = "float32"
    return build_model(config, trained.model.identities, conv_impl="matmul")


def load_onnx(files: Mapping[str, Path]) -> Callable[[np.ndarray, str], np.ndarray]:
    """Return embed(images, modality) computed by onnxruntime with the file of each modality."""
    import onnxruntime  # pyright: ignore[reportMissingImports]  # optional

    sessions = {
        name: onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        for name, file in files.items()
    }
    return lambda images, modality: sessions[modality].run(None, {"images": images})[0]


def _convert(trained: TrainedModel, model: nn.Module, modality: str) -> Any:
    import jax2onnx  # pyright: ignore[reportMissingImports]  # optional
    from onnx.helper import set_model_props  # pyright: ignore[reportMissingImports]

    weights = leaves_by_path(jax.tree.map(jnp.asarray, trained.variables))
    embed = make_embed(trained, model, modality)
    # They warn of plugins that are not needed.
    with quieter(logging.ERROR, "jax2onnx", "onnx_ir"):
        converted = jax2onnx.to_onnx(
            lambda images: embed(weights, images),
            [jax.ShapeDtypeStruct(("b", "h", "w", 3), jnp.uint8)],
            model_name=f"dmcf_{modality}",
            opset=OPSET,
            input_names=["images"],
            output_names=["embeddings"],
        )
    # Shapes of intermediate values, some with another order of axes; runtimes infer their own.
    del converted.graph.value_info[:]
    metadata = {"config": json.dumps(flatten(trained.config)), "step": str(trained.step)}
    metadata["thresholds"] = json.dumps(trained.thresholds)
    set_model_props(converted, metadata)
    return converted
