"""docs/tutorial.md as it is: pictures in two folders, prepared, learned, embedded, searched.

Its blocks are run in order, with fewer people and steps; then what they left is looked at.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.browser import Page, chromium, needs_chromium
from support.commands import ROOT, environment

from dmcf_jax.errors import UserError
from dmcf_jax.retrieval.embedding_set import EmbeddingSet
from dmcf_jax.retrieval.model import load_model
from dmcf_jax.search import SearchOptions, run_search

pytestmark = pytest.mark.slow
PEOPLE = 8


def tutorial_as_a_script():
    """Return all code blocks of the tutorial as one shell script."""
    blocks = re.findall(
        r"^```(\w*)\n(.*?)^```$", (ROOT / "docs/tutorial.md").read_text(), re.S | re.M
    )
    assert {language for language, _ in blocks} == {"bash", "python"}
    wrapped = {"bash": "{}", "python": "python - <<'END_OF_BLOCK'\n{}END_OF_BLOCK\n"}
    return "\n".join(wrapped[language].format(code) for language, code in blocks)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder that the tutorial filled, and what it printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    settings = {
        "FOLDER": str(folder),
        "PEOPLE": str(PEOPLE),
        "STEPS": "3",
        "CONFIG": "tests/support/tiny_own.py",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", tutorial_as_a_script()],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(**settings),
    )
    assert ran.returncode == 0, ran.stderr
    return folder, ran.stdout


def test_the_search_found_what_the_embeddings_say(done):
    folder, _ = done
    found = json.loads((folder / "search.json").read_text())
    gallery = EmbeddingSet(folder / "gallery")
    assert len(gallery) == PEOPLE * 4 and found["exact"]
    assert found["model"]["fingerprint"] == gallery.manifest["model"]["fingerprint"]
    model, vectors = load_model(folder / "run"), gallery.read()
    assert len(found["results"]) == PEOPLE * 4
    for result in found["results"]:
        query = model.embed([folder / "people" / result["path"]], "infrared")[0]
        order = np.argsort(-(vectors @ query), kind="stable")[:12]
        labels = gallery.labels(order.tolist())
        assert [m["path"] for m in result["matches"]] == [labels[row]["path"] for row in order]
        best = result["matches"][0]
        _, identity, camera, _ = best["path"].split("/")
        assert (best["identity"], best["camera"]) == (identity, camera)
        assert best["score"] == pytest.approx(float(vectors[order[0]] @ query), abs=1e-5)


def test_python_and_the_command_find_the_same(done):
    folder, printed = done
    found = json.loads((folder / "search.json").read_text())
    (line,) = [part for part in printed.splitlines() if part.startswith("best match of")]
    asked = "infrared/1/camera 3/30.png"
    (first,) = [result for result in found["results"] if result["path"] == asked]
    assert first["matches"][0]["path"] in line


def test_the_threshold_and_the_verification_count_the_pairs_there_are(done):
    folder, printed = done
    verified = json.loads((folder / "score.json").read_text())["verification"]
    same = PEOPLE * 4 * 4  # four pictures in each modality
    assert verified["same_person_pairs"] == same
    assert verified["different_person_pairs"] == (PEOPLE * 4) ** 2 - same
    assert (folder / "run/figures/verification.png").exists()
    (line,) = [part for part in printed.splitlines() if part.startswith("Accepted from")]
    assert "a score of 0.8000" in line and "of 4 queries match nobody" in line


@needs_chromium
def test_the_pages_open_in_a_browser(done, tmp_path):
    folder, _ = done
    page = Page(chromium(tmp_path, "--dump-dom", (folder / "search.html").as_uri()))
    matches = [a for a in page.all("figure") if "data-camera" in a]
    assert len(matches) == 10 * 12 and not any("hidden" in a for a in matches)
    assert {a["data-camera"] for a in page.all("input")} == {"camera 1", "camera 2"}
    assert len(page.all("details")) == 10 and len(page.all("img")) == 10 * (13 + 2 * 2)
    assert {a["class"] for a in matches} == {"right", "wrong"}
    shot = tmp_path / "evaluation.png"
    address = (folder / "evaluation.html").as_uri()
    chromium(tmp_path, "--window-size=1280,1600", f"--screenshot={shot}", address)
    pixels = np.asarray(Image.open(shot).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 1000


def refused(**options):
    with pytest.raises(UserError) as error:
        run_search(SearchOptions(**options))
    return error.value


def test_mistakes_are_reported(done, tmp_path):
    folder, _ = done
    run, gallery = str(folder / "run"), str(folder / "gallery")
    infrared = str(folder / "people/infrared/1")
    usual = {"model": run, "gallery": gallery, "query": infrared}
    assert refused(**usual).about == ("--query_modality",)
    assert refused(**usual, query_modality="thermal").about == ("--query_modality",)
    assert refused(**usual, query_modality="infrared", top=0).about == ("--top",)
    assert refused(**usual, query_modality="infrared", explain=True).about == ("--explain",)
    nothing = usual | {"query": str(tmp_path)}
    assert refused(**nothing, query_modality="infrared").about == ("--query",)
    other = tmp_path / "other"
    other.mkdir()
    manifest = json.loads((folder / "gallery/manifest.json").read_text())
    manifest["model"] |= {"source": "runs/old", "fingerprint": "b" * 64, "dimension": 2048}
    (other / "manifest.json").write_text(json.dumps(manifest))
    error = refused(**usual | {"gallery": str(other)}, query_modality="infrared")
    message = str(error)
    assert error.about == ("--gallery",)
    assert "made by runs/old (2048 numbers each" in message and "makes 32" in message
