"""One picture as its owner describes it, in a CSV file or by the folders it lies in."""

import unicodedata
from typing import NamedTuple

COLUMNS = ("path", "identity", "modality", "camera", "split")
NEEDED = COLUMNS[:3]
SPLITS = ("train", "test")


class OwnRow(NamedTuple):
    """One picture; '' is what is not known.

    `place` is where its description is: 'row 7' of a CSV file, or the path of the picture.
    """

    place: str
    path: str
    identity: str = ""
    modality: str = ""
    camera: str = ""
    split: str = ""


def same_form(name: str) -> str:
    """Return a name in one Unicode form: macOS writes 'é' as two characters, others as one."""
    return unicodedata.normalize("NFC", name)
