"""Figure 5's H: the maps of a run of BDTR that is given beside, and which runs are refused."""

import csv
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import tiny

from dmcf_jax.config.build import build
from dmcf_jax.data.prepare_input import normalise
from dmcf_jax.data.records.prepare_synthetic import prepare_synthetic
from dmcf_jax.errors import UserError
from dmcf_jax.modality import MODALITIES
from dmcf_jax.reports.figures import level_maps
from dmcf_jax.reports.figures.draw import draw
from dmcf_jax.reports.figures.inputs import FigureInputs, FigureOptions
from dmcf_jax.runs.checkpoint import Checkpoints
from dmcf_jax.runs.folder import write_run_info
from dmcf_jax.runs.load import untrained

pytestmark = pytest.mark.usefixtures("standard_promotion")
ALEXNET = {
    "data.size": (64, 64),
    "model.shared_from": None,
    "model.stage_sizes": (3, 4, 6, 3),
    "model.levels": ("layer4",),
    "model.stripes": (1,),
    "mtl.start_step": None,
}


def write_run(folder, config):
    """Write a run whose weights are the initial ones."""
    write_run_info(folder, config)
    (folder / "classes.json").write_text(json.dumps(list(range(4))))
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(build(config, 4).make_state(untrained(folder).variables))
        checkpoints.wait()
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of DMCF and one of BDTR with AlexNets on the same eight people."""
    folder = tmp_path_factory.mktemp("runs")
    data = {"data.data_dir": str(folder / "data")}
    prepare_synthetic("regdb", 8, 0, folder / "data", trial="1")
    with jax.numpy_dtype_promotion("standard"):
        ours = write_run(folder / "dmcf", tiny.config(tiny.PAPERS_LEVELS | data))
        theirs = tiny.config(ALEXNET | data, variant="bdtr_alexnet")
        return ours, write_run(folder / "bdtr", theirs)


def expected_maps(run):
    """Layer4's outputs of each person's first images, by modality."""
    inputs = FigureInputs(run)
    store, trained, found = inputs.store, inputs.trained, {}
    for number, name in enumerate(MODALITIES):
        first = [
            np.flatnonzero((store.identity == p) & (store.modality == number))[0]
            for p in sorted(set(store.identity.tolist()))
        ]
        images = normalise(jnp.asarray(store.images[first]))
        maps = trained.model.apply(trained.variables, images, name, method="feature_maps")
        found[name] = np.asarray(maps["layer4"])
    return found


@pytest.mark.slow
def test_h_shows_bdtrs_last_maps_of_the_same_images(runs, tmp_path, monkeypatch):
    figures = []
    save = level_maps.save
    monkeypatch.setattr(level_maps, "save", lambda *all_: figures.append(all_[0]) or save(*all_))
    ours, theirs = runs
    options = FigureOptions(pairs=4, beside=theirs)
    assert len(draw(["5"], ours, tmp_path, options)) == 3
    maps = expected_maps(theirs)
    assert maps["visible"].shape == (4, 3, 3, 16)
    for person, block in enumerate(figures[0].subfigs):
        titles = [axis.get_title() for axis in block.axes[:5]]
        assert titles == ["image", "B1 (low)", "B2 (middle)", "B3 (high)", "H (BDTR)"]
        for row, name in enumerate(MODALITIES):
            strength = np.abs(maps[name][person]).mean(axis=-1)
            strength -= strength.min()
            drawn = block.axes[5 * row + 4].images[0].get_array()
            np.testing.assert_allclose(drawn, strength / max(strength.max(), 1e-12), atol=1e-4)
    lines = (tmp_path / "figure_5_levels.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert list(dict.fromkeys(row["level"] for row in rows)) == ["low", "middle", "high", "H"]
    flat = [maps[name].reshape(4, -1).astype(np.float64) for name in MODALITIES]
    units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in flat]
    cosines = units[0] @ units[1].T
    high, last = ([r for r in rows if r["level"] == level] for level in ("high", "H"))
    assert [r["visible"] for r in last] == [r["visible"] for r in high]
    found = [float(row["similarity_same"]) for row in last]
    assert found == pytest.approx(np.diag(cosines), abs=1e-5)
    others = cosines[~np.eye(4, dtype=bool)].mean()
    assert float(last[0]["mean_similarity_different"]) == pytest.approx(others, abs=1e-5)
    assert (
        f"H {np.mean(found):.3f} / {others:.3f}" in (tmp_path / "figure_5_levels.svg").read_text()
    )


def refused(workdir, beside, figures=("5",)):
    with pytest.raises(UserError) as caught:
        draw(figures, workdir, None, FigureOptions(beside=beside))
    assert not (workdir / "figures").exists()
    return caught.value.about


def test_runs_that_cannot_give_an_h_are_named(tmp_path):
    write_run_info(tmp_path / "dmcf", tiny.config())
    write_run_info(tmp_path / "gsm", tiny.config(variant="gsm"))
    write_run_info(tmp_path / "bdtr", tiny.config({"data.trial": 2}, variant="bdtr"))
    workdir = tmp_path / "dmcf"
    assert refused(workdir, tmp_path / "nothing") == ("--beside",)
    assert refused(workdir, tmp_path / "gsm") == ("--beside",)
    assert refused(workdir, tmp_path / "bdtr") == ("data.trial",)
    assert refused(workdir, tmp_path / "bdtr", ["3"]) == ("--beside",)
