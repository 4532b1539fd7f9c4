"""The demo with few people and steps, and the page it ends on."""

import jax
import pytest
from support.browser import Page, chromium, needs_chromium

from dmcf_jax.cli.demo import QUERIES, comparison_table, run_demo
from dmcf_jax.configs import synthetic

pytestmark = pytest.mark.slow
PEOPLE = 16


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of the demo, and its results."""
    folder = tmp_path_factory.mktemp("demo")
    config = synthetic.get_config()
    config.train.steps, config.optim.warmup_steps, config.sampler.P = 3, 1, 8
    config.train.log_every = 1
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam needs it
        return folder, run_demo(config, folder, PEOPLE)


def test_the_page_holds_table_curves_lists_and_search(done):
    folder, results = done
    page = Page((folder / "index.html").read_text())
    assert {"trained network", "HOG, which learns nothing", "chance", "12.50"} <= set(page.texts)
    assert f"{100 * results[0]['mean']['mAP']:.2f}" in page.texts
    # Two protocols of CMC; losses, sigmas and two distances of three levels each.
    assert len(page.all("polyline")) == 2 + 4 * 3
    queries = [text for text in page.texts if text.startswith("Query ")]
    assert len(queries) == QUERIES
    assert not any(kind.get("class") == "blank" for kind in page.all("div"))


@needs_chromium
def test_a_browser_shows_every_picture_and_asks_for_nothing(done, tmp_path):
    page = Page(chromium(tmp_path, "--dump-dom", (done[0] / "index.html").as_uri()))
    sources = [picture["src"] for picture in page.all("img")]
    assert sources and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not page.all("link") and len(page.all("script")) == 1


def test_the_table_has_a_row_of_chance(done):
    header, *rows = comparison_table({"network": done[1]}, 0.25)
    assert rows[-1] == ["chance", "25.00", "", "25.00", ""] and len(header) == 5
