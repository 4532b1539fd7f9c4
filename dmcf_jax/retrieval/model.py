"""A trained model ready for use: a run, an exported file, a shared folder, or one of the hub.

model = load_model("runs/own")
queries = model.embed(["night/1.jpg", "night/2.jpg"], "infrared")
"""

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any, cast

import jax
import jax.export
import numpy as np
import safetensors.numpy
from jaxtyping import Float, UInt8
from PIL import Image

from dmcf_jax.config.build import input_form
from dmcf_jax.data import decode
from dmcf_jax.data.records.verify_images import read_image_file
from dmcf_jax.data.wide_values import FULL, WideRange
from dmcf_jax.errors import Problem, UserError
from dmcf_jax.evaluation.thresholds import is_thresholds
from dmcf_jax.export.hub.read import is_shared_source, open_shared, refuse_checkpoint
from dmcf_jax.methods import METHODS
from dmcf_jax.methods.network.build import STARTS
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.tree_paths import leaves_by_path
from dmcf_jax.runs.load import TrainedModel, embedder_of, load_trained
from dmcf_jax.runtime.files import DAMAGED_ARCHIVE
from dmcf_jax.runtime.paths import local_path
from dmcf_jax.runtime.threads import map_in_threads
from dmcf_jax.training.start import is_packaged, packaged_model
from dmcf_jax.weights.synthetic import NAME as PACKAGED

Picture = str | Path | np.ndarray | Image.Image
BATCH = 64
FEW = 8  # up to so many pictures are embedded one by one: a batch takes its time even if not full
# Fields that an image's embedding depends on: these, and those of `model` but NOT_DECIDING.
DECIDING = (
    "method.name",
    "dtype",
    "data.size",
    "data.filter",
    "data.input",
    "data.standardise",
    "data.wide_range",
    "data.wide_limits",
    "evaluation.flip",
)
NOT_DECIDING = tuple(f"model.{name}" for name in (*STARTS, "remat", "dropout"))
# Fields that older models lack, with the values that leave an embedding as theirs: left out, so
# that embeddings which are stored still belong to their model.
ADDED = {
    "data.input": "rgb",
    "data.standardise": False,
    "data.wide_range": "full",
    "model.backbone": "resnet",
    "model.neck": "relu",
    "model.head": "reduction",
    "model.pool": "max",
    "model.gem_p": 3.0,
    "model.input": "three",
    "method.name": "dmcf",
}


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A trained network that embeds pictures, see `load_model`.

    Attributes:
        source: the folder or file it was read from.
        fingerprint: SHA-256 of all that an embedding depends on; a run and its export have the
            same.
        size: (height, width) in pixels that pictures are resized to.
        filter: interpolation of the resizing.
        dimension: length d of an embedding.
        trained: the run's network; None for an exported file.
        wide_range: values of pictures of more than eight bits that become 0 and 255.
        across_only: whether embeddings compare between the modalities only, see `Method`.
        thresholds: recorded with the run, see `evaluation/thresholds.py`; None if there are none.
    """

    source: str
    fingerprint: str
    size: tuple[int, int]
    filter: str
    dimension: int
    trained: TrainedModel | None
    _embed: Callable[[np.ndarray, str], Any] = dataclasses.field(repr=False)
    wide_range: WideRange = FULL
    across_only: bool = False
    thresholds: dict[str, Any] | None = None

    def embed(self, images: Picture | Iterable[Picture], modality: str) -> Float[np.ndarray, "n d"]:
        """Return float32 embeddings of unit length, one row for each picture.

        Args:
            images: paths of files, uint8 arrays [h w 3] (RGB) or [h w] (grey) of any size, or
                images of Pillow; one alone is a list of one.
            modality: 'visible' or 'infrared', of all of them.

        Raises:
            UserError: another modality, or pictures that cannot be read, all at once.
        """
        check_modality(modality)
        images = as_list(images)
        size = batch_size(len(images))
        results = map_in_threads(self._prepare, images)
        parts, batch, bad = [], [], []
        for image, pixels in zip(images, results, strict=True):
            if isinstance(pixels, str):
                bad.append(Problem(_name(image), f"{_name(image)} {pixels}"))
                continue
            batch.append(pixels)
            if len(batch) == BATCH:
                parts.append(self.embed_pixels(np.stack(batch), modality, size))
                batch = []
        if bad:
            raise UserError.listing("these pictures cannot be embedded:", bad)
        if batch:
            parts.append(self.embed_pixels(np.stack(batch), modality, size))
        return np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)

    def embed_pixels(
        self, images: UInt8[np.ndarray, "n h w 3"], modality: str, at_once: int | None = None
    ) -> Float[np.ndarray, "n d"]:
        """Return the float32 embeddings of pictures that already have the model's `size`.

        Args:
            at_once: pictures that the compiled program takes; None for what suits so many images.
                Each number that is used is compiled once.
        """
        at_once = at_once or batch_size(len(images))
        parts = [
            self._embed(_fill_batch(images[start : start + at_once], at_once), modality)
            for start in range(0, len(images), at_once)
        ]
        return np.concatenate([np.asarray(part, np.float32) for part in parts])[: len(images)]

    def read(self, path: str | Path) -> UInt8[np.ndarray, "h w 3"]:
        """Return the pixels of a file at the model's size.

        Raises:
            decode.BadImage: it cannot be read, with the reason.
        """
        return self.pixels_of(read_image_file(Path(path)))

    def pixels_of(self, data: bytes) -> UInt8[np.ndarray, "h w 3"]:
        """Return the pixels of a file's bytes at the model's size; raises what `read` does."""
        return decode.decode_array(data, self.size, self.filter, self.wide_range)

    def _prepare(self, image: object) -> np.ndarray | str:
        """Return a picture's pixels [h w 3], or why it cannot be used."""
        if isinstance(image, str | Path):
            try:
                return self.read(image)
            except decode.BadImage as error:
                return str(error)
        if not isinstance(image, np.ndarray | Image.Image):
            return "is not a path, an array or an image of Pillow"
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or not (image.ndim == 2 or image.shape[2:] == (3,)):
                return f"is {image.dtype}{list(image.shape)}, expected uint8 [h, w, 3] or [h, w]"
            image = Image.fromarray(image)
        method, (height, width) = decode.FILTERS[self.filter], self.size
        try:
            return np.asarray(decode.to_rgb(image, self.wide_range).resize((width, height), method))
        except decode.BadImage as error:
            return str(error)


def as_list(images: Picture | Iterable[Picture]) -> list[Any]:
    """Return pictures as a list: of one, where `images` is one picture."""
    one = isinstance(images, str | Path | Image.Image)
    if isinstance(images, np.ndarray):
        one = images.ndim == 2 or (images.ndim == 3 and images.shape[2] == 3)
    return [images] if one else list(images)  # pyright: ignore


def _name(image: object) -> str:
    if isinstance(image, str | Path):
        return str(image)
    return "an array" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"


def batch_size(pictures: int) -> int:
    """Return how many pictures a program takes at once, where so many are embedded in all."""
    return 1 if pictures <= FEW else BATCH


def _fill_batch(images: np.ndarray, size: int) -> np.ndarray:
    """Return a batch of the compiled size, with zeros at its end."""
    missing = size - len(images)
    return np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else images


def check_modality(modality: str) -> None:
    """Raise UserError unless `modality` is 'visible' or 'infrared'."""
    if modality not in MODALITIES:
        text = f"modality {modality!r} is not known: choose {' or '.join(MODALITIES)}"
        raise UserError(text, about="modality")


def load_model(source: str | Path, step: int | None = None, best: bool = False) -> FeatureExtractor:
    """Return the model in a run's folder, in an exported file, on the hub, or in the package.

    Args:
        source: the folder of a run, a file of `dmcf export --format=stablehlo`, a folder of
            `--format=hub`, hf://owner/name or hf://owner/name@revision, which is downloaded, or
            'synthetic' for the small network that comes with the package (docs/synthetic.md).
        step, best: which checkpoint of a run, see `load_trained`.

    Raises:
        UserError: there is no model, or it is damaged.
    """
    if is_shared_source(source):
        return model_of(open_shared(source, step, best).trained, str(source))
    path = local_path(source, "--model")
    if not path.is_dir():
        refuse_checkpoint(source, step, best)
    if is_packaged(source):
        return model_of(packaged_model(), PACKAGED)
    if path.is_dir():
        return model_of(load_trained(path, step, best), str(source))
    if not zipfile.is_zipfile(path):
        kind = "is no exported model" if path.exists() else "does not exist"
        raise UserError(
            f"--model={source} {kind}; give the --workdir of a run, what dmcf export "
            f"--format=stablehlo or --format=hub wrote, hf://owner/name, or {PACKAGED}",
            about="--model",
        )
    return _exported(path)


def model_of(trained: TrainedModel, source: str) -> FeatureExtractor:
    """Return the network of a run as a feature extractor."""
    settings = trained.config.evaluation
    # flax modules are hashable, which type checkers do not see.
    network, form = cast(Hashable, trained.model), input_form(trained.config)

    def embed(images: np.ndarray, modality: str) -> np.ndarray:
        kinds = np.full(len(images), MODALITIES.index(modality))
        embedder = embedder_of(network, len(images), settings.flip, form)
        return embedder(trained.variables, images, kinds)

    def shape(variables: dict, images: jax.Array) -> jax.Array:
        return cast(jax.Array, trained.model.apply(variables, images, "visible", method="embed"))

    size = tuple(trained.config.data.size)
    image = jax.ShapeDtypeStruct((1, *size, 3), np.float32)
    return FeatureExtractor(
        source,
        fingerprint_of(leaves_by_path(jax.device_get(trained.variables)), trained.flat_config()),
        size,
        trained.config.data.filter,
        jax.eval_shape(shape, trained.variables, image).shape[1],
        trained,
        embed,
        trained.wide_range,
        METHODS[trained.config.method.name].across_only,
        trained.thresholds,
    )


def _exported(path: Path) -> FeatureExtractor:
    from dmcf_jax.export.stablehlo import load_exported

    try:
        embed = load_exported(path)
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            weights = safetensors.numpy.load(archive.read("weights.safetensors"))
            program = jax.export.deserialize(bytearray(archive.read("visible.stablehlo")))
            known = "thresholds.json" in archive.namelist()  # not in older exports
            thresholds = json.loads(archive.read("thresholds.json")) if known else None
            if not is_thresholds(thresholds):
                raise ValueError("thresholds.json holds none")
        size, filter = tuple(config["data.size"]), config["data.filter"]
        wide = _wide_range(config)
    except (*DAMAGED_ARCHIVE, safetensors.SafetensorError) as error:
        text = f"--model={path} is not a complete export ({error}); export it again"
        raise UserError(text, about="--model") from None
    fingerprint, dimension = fingerprint_of(weights, config), program.out_avals[0].shape[1]
    across_only = METHODS[config.get("method.name", "dmcf")].across_only
    return FeatureExtractor(
        str(path), fingerprint, size, filter, dimension, None, embed, wide, across_only, thresholds
    )


def _wide_range(config: dict[str, Any]) -> WideRange:
    if config.get("data.wide_range") == "file":
        return None
    return tuple(config.get("data.wide_limits", FULL))


def fingerprint_of(weights: dict[str, Any], config: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of all that the embedding of a picture depends on.

    Args:
        weights: by path.
        config: flattened.
    """
    digest = hashlib.sha256()
    for name in sorted(config):
        deciding = name in DECIDING or (name.startswith("model.") and name not in NOT_DECIDING)
        if deciding and not (name in ADDED and config[name] == ADDED[name]):
            digest.update(f"{name}={json.dumps(config[name])}\n".encode())
    for name in sorted(weights):
        value = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {value.dtype} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
