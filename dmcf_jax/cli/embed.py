"""Embed pictures with a trained model and write the embeddings to a folder.

dmcf embed --model=runs/own --images=DIR --modality=visible --out=gallery
dmcf embed --model=dmcf.stablehlo.zip --images=pictures.csv --out=gallery
"""

from absl import flags

from dmcf_jax.cli import app

_MODEL = flags.DEFINE_string(
    "model", None, "A run's folder, an exported one, or hf://owner/name", required=True
)
_IMAGES = flags.DEFINE_string("images", None, "A folder, a CSV file or a picture", required=True)
_MODALITY = flags.DEFINE_string(
    "modality", None, "visible or infrared; a CSV file may have a column of it"
)
_OUT = flags.DEFINE_string("out", None, "Folder for the embeddings", required=True)
_SKIP = flags.DEFINE_bool("skip_bad", False, "Leave out pictures that cannot be read")
_ADD = flags.DEFINE_bool("add", False, "Embed only what is not in --out yet, and keep the rest")
_STEP = flags.DEFINE_integer("step", None, "Checkpoint; by default the last")
_BEST = flags.DEFINE_bool("best", False, "Take the checkpoint that train.keep_best kept")


def main() -> None:
    """Embed by the flags."""
    from dmcf_jax.retrieval.add_pictures import add_pictures
    from dmcf_jax.retrieval.embed_pictures import embed_pictures
    from dmcf_jax.retrieval.model import load_model
    from dmcf_jax.retrieval.picture_list import list_images

    images = list_images(_IMAGES.value, _MODALITY.value)
    model = load_model(_MODEL.value, _STEP.value, _BEST.value)
    embed = add_pictures if _ADD.value else embed_pictures
    embeddings = embed(model, images, _OUT.value, skip_bad=_SKIP.value, show=True)
    print(f"{_OUT.value}: {len(embeddings)} embeddings of {embeddings.dimension} numbers")


if __name__ == "__main__":
    app.run(main)
