"""TensorFlow Datasets without its remarks: it announces downloads, and logs each step."""

import contextlib
import io
from collections.abc import Iterator

from absl import logging


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep standard output and absl's log clean of all but warnings meanwhile."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
