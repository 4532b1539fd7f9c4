"""The data sets that the library reads. To add one: a file with its record, and a line here."""

from dmcf_jax.data.datasets import llcm, own, regdb, sysu_mm01
from dmcf_jax.data.datasets.dataset import Dataset
from dmcf_jax.errors import UserError

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        regdb.DATASET,
        sysu_mm01.DATASET,
        llcm.DATASET,
        own.DATASET,
    )
}


def find_dataset(name: str) -> Dataset:
    """Return the data set called `name`.

    Raises:
        UserError: there is none; the message names all.
    """
    if name not in DATASETS:
        known = ", ".join(DATASETS)
        raise UserError(f"data set '{name}' is not known; choose one of {known}", about=name)
    return DATASETS[name]
