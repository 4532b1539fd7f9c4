"""Fitting a metric on embedded training images, for any method with a `CrossMetric`."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dmcf_jax.methods.method import Embedded, Fields, Group
from dmcf_jax.metrics.pca import fit_pca
from dmcf_jax.modality import INFRARED, VISIBLE
from dmcf_jax.models.cross_metric import metric_params

FROZEN = Group("metric", r"metric/.*", frozen=True)


class Maps(NamedTuple):
    """A distance: the sum of signs times the squares of (visible map) x - (infrared map) z.

    Attributes:
        visible, infrared: columns that rows are multiplied by.
        signs: of the squares, 1 or -1; None for all 1.
    """

    visible: Float[np.ndarray, "k s"]
    infrared: Float[np.ndarray, "k s"]
    signs: Float[np.ndarray, " s"] | None = None


# (visible rows, infrared rows, identities of both) after PCA -> maps
Learn = Callable[..., Maps]


def fit_maps(
    fields: Fields,
    variables: dict,
    embedded: Embedded,
    learn: Learn,
) -> dict:
    """Return `variables` with the metric that `learn` finds behind a PCA of `fit.pca` values."""
    rows = np.asarray(embedded.features)
    pca = fit_pca(rows, fields["fit.pca"], fewer=True)
    seen = [embedded.modality == number for number in (VISIBLE, INFRARED)]
    reduced = [pca.project(rows[chosen]) for chosen in seen]
    maps = learn(*reduced, *(embedded.identity[chosen] for chosen in seen))
    metric = metric_params(
        pca.mean,
        {"visible": pca.axes @ maps.visible, "infrared": pca.axes @ maps.infrared},
        np.ones(maps.visible.shape[1]) if maps.signs is None else maps.signs,
        {"visible": rows[seen[0]], "infrared": rows[seen[1]]},
        variables["params"]["metric"]["signs"].shape[0],
    )
    return variables | {"params": variables["params"] | {"metric": metric}}
