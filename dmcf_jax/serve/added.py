"""Pictures that people add: files under names of our own, and a table of what is known of them.

The next start reads the table like any other list of pictures, so nothing that was added is lost.
"""

import csv
import hashlib
import io
import threading
from pathlib import Path

from dmcf_jax.data.datasets.own_row import NEEDED
from dmcf_jax.data.file_kinds import recognise
from dmcf_jax.runtime.files import write_atomically

TABLE = "added.csv"
COLUMNS = (*NEEDED, "camera")


class AddedPictures:
    """A folder of added pictures.

    Attributes:
        folder: `<folder>/<modality>/<hash>.<kind>` and `added.csv`.
    """

    def __init__(self, folder: Path):
        """Read the table, if there is one."""
        self.folder, self._lock = folder, threading.Lock()
        table = folder / TABLE
        self._rows: list[dict[str, str]] = []
        if table.exists():
            with open(table, encoding="utf-8", newline="") as file:
                self._rows = list(csv.DictReader(file))

    def __len__(self) -> int:
        return len(self._rows)

    def store(self, data: bytes, labels: dict[str, str]) -> Path:
        """Write a picture and its row, each complete or not at all; return the file.

        Args:
            data: a picture's file, already known to be one.
            labels: identity, modality and camera; '' is unknown.
        """
        name = hashlib.sha256(data).hexdigest()[:32]
        path = Path(labels["modality"], f"{name}.{str(recognise(data)).lower()}")
        with self._lock:
            write_atomically(self.folder / path, data)
            self._rows = [row for row in self._rows if row["path"] != str(path)]
            self._rows.append({"path": str(path), **labels})
            self._write()
        return self.folder / path

    def _write(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: row.get(name, "") for name in COLUMNS} for row in self._rows)
        write_atomically(self.folder / TABLE, text.getvalue())
