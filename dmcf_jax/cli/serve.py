"""Open a page to search a gallery in: drop a picture, see who matches.

dmcf serve --model=runs/own --gallery=gallery
dmcf serve --model=runs/own --gallery=gallery --threshold=1e-3 --added=added
dmcf serve --model=runs/own --gallery=gallery --host=0.0.0.0    # prints an address with a token
"""

from pathlib import Path

from absl import flags

from dmcf_jax.cli import app

_MODEL = flags.DEFINE_string("model", None, "A run's folder, or an exported file", required=True)
_GALLERY = flags.DEFINE_string(
    "gallery", None, "Embeddings of dmcf embed; several as A,B", required=True
)
_ROOT = flags.DEFINE_string("gallery_root", None, "Where the gallery's pictures are now, if moved")
_ADDED = flags.DEFINE_string("added", None, "Folder for pictures that people add; none may without")
_THRESHOLD = flags.DEFINE_string(
    "threshold", None, "Accept matches from here: an FPR (1e-2, 1e-3, 1e-4) or a score"
)
_HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to listen on; others than this need it")
_PORT = flags.DEFINE_integer("port", 8000, "Port to listen on; 0 takes a free one", 0, 65535)
_TOKEN = flags.DEFINE_string("token", None, "What clients must know; made up for other machines")
_MIB = flags.DEFINE_integer("max_mib", 16, "Largest picture that is taken, in MiB", 1, 1024)
_RATE = flags.DEFINE_integer("per_minute", 1200, "Most requests of one client in a minute", 1)


def main() -> None:
    """Serve by the flags until interrupted."""
    from dmcf_jax.errors import UserError

    try:
        from dmcf_jax.serve.limits import Limits
        from dmcf_jax.serve.start import Address, open_service, serve
    except ModuleNotFoundError as error:
        text = f"dmcf serve needs {error.name}: pip install 'dmcf_jax[serve]'"
        raise UserError(text, about="serve") from None
    service = open_service(
        _MODEL.value,
        _GALLERY.value,
        root=_ROOT.value,
        added=Path(_ADDED.value) if _ADDED.value else None,
        threshold=_THRESHOLD.value,
    )
    limits = Limits(_MIB.value << 20, _RATE.value)
    serve(service, Address(_HOST.value, _PORT.value, _TOKEN.value), limits)


if __name__ == "__main__":
    app.run(main)
