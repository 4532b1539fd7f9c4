r"""Search a gallery for pictures of the same people as some queries.

dmcf search --model=runs/own --gallery=gallery --query=night.jpg \
    --query_modality=infrared --top=20 --html=report.html
"""

from absl import flags

from dmcf_jax.cli import app

_MODALITIES = "visible or infrared; a CSV file may have a column of it"

flags.DEFINE_string(
    "model", None, "A run's folder, an exported one, or hf://owner/name", required=True
)
flags.DEFINE_string(
    "gallery", None, "Embeddings of dmcf embed, or pictures; several as A,B", required=True
)
flags.DEFINE_string("gallery_root", None, "Where the gallery's pictures are now, if moved")
flags.DEFINE_string("query", None, "A picture, a folder, a CSV file or embeddings", required=True)
flags.DEFINE_string("query_modality", None, _MODALITIES)
flags.DEFINE_string("gallery_modality", None, _MODALITIES)
flags.DEFINE_integer("top", 20, "Matches for each query")
flags.DEFINE_string(
    "threshold", None, "Accept matches from here: an FPR (1e-2, 1e-3, 1e-4) or a score"
)
flags.DEFINE_string("index", None, "A faiss index such as HNSW32: faster, not exact")
flags.DEFINE_string("index_options", None, "Of its search, such as nprobe=64 or efSearch=128")
flags.DEFINE_string("json", None, "File for all matches")
flags.DEFINE_string("html", None, "File for a page with pictures")
flags.DEFINE_integer("html_queries", 50, "Queries shown in the page")
flags.DEFINE_bool("explain", False, "Show in the page what matched in each query's best match")
flags.DEFINE_bool("skip_bad", False, "Leave out pictures that cannot be read")


def main() -> None:
    r"""Search by the flags."""
    import dataclasses
    from typing import Any

    from dmcf_jax.search import SearchOptions, run_search, table

    names = [field.name for field in dataclasses.fields(SearchOptions)]
    values: dict[str, Any] = {name: flags.FLAGS[name].value for name in names}
    print(table(run_search(SearchOptions(**values))))


if __name__ == "__main__":
    app.run(main)
