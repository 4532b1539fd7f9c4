"""The server: answers against a plain loop, hostile requests, many at once, and a real browser."""

import base64
import concurrent.futures
import contextlib
import io
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
from PIL import Image
from support.browser import needs_chromium
from support.commands import ROOT
from support.devtools import open_tab
from support.toys import toy_model, write_people

from dmcf_jax.errors import UserError
from dmcf_jax.evaluation.thresholds import KINDS
from dmcf_jax.retrieval.embed_pictures import embed_pictures
from dmcf_jax.retrieval.picture_list import list_images
from dmcf_jax.retrieval.threshold import Threshold
from dmcf_jax.serve import start
from dmcf_jax.serve.added import AddedPictures
from dmcf_jax.serve.app import make_app
from dmcf_jax.serve.gallery import Filter, NewPicture, ServedGallery
from dmcf_jax.serve.limits import Clients, Limits, Refused
from dmcf_jax.serve.service import Service

starlette_test = pytest.importorskip("starlette.testclient")
HOSTILE = "<img src=x onerror=document.title='hacked'>"
SENDER = {"x-dmcf": "1"}
LIMITS = Limits()


@pytest.fixture
def people(tmp_path):
    return write_people(tmp_path / "people", ("ann", "bo", "cy", HOSTILE.replace("/", "")))


@pytest.fixture
def service(people, tmp_path):
    model = toy_model()
    found = embed_pictures(model, list_images(people, "visible"), tmp_path / "gallery")
    limit = Threshold(dict.fromkeys(KINDS, 0.5), "the score 0.5, as given")
    return Service(model, ServedGallery([found]), limit, AddedPictures(tmp_path / "added"))


def client_of(service, limits=LIMITS, headers=SENDER, **options):
    app = make_app(service, limits, **options)
    return starlette_test.TestClient(app, "http://127.0.0.1", headers=headers)


def query(people, name="ann"):
    return (people / f"infrared/{name}/0.png").read_bytes()


def ask(client, data, **params):
    return client.post("/search", content=data, params={"modality": "infrared", **params})


def test_matches_are_those_of_a_plain_loop(service, people):
    data = query(people)
    found = ask(client_of(service), data, top=100).json()["matches"]
    model = service.model
    vector = model.embed_pixels(model.pixels_of(data)[None], "infrared")[0]
    expected = {
        str(file.relative_to(people)): float(
            vector @ model.embed_pixels(model.read(file)[None], "visible")[0]
        )
        for file in people.glob("visible/*/*.png")
    }
    assert {match["path"]: match["score"] for match in found} == pytest.approx(expected, abs=1e-6)
    scores = [match["score"] for match in found]
    assert scores == sorted(scores, reverse=True) and len(found) == 8
    assert [match["accepted"] for match in found] == [score >= 0.5 for score in scores]


def test_pictures_are_those_of_the_rows(service, people):
    client = client_of(service)
    for row, label in service.gallery.labels(range(8)).items():
        expected = io.BytesIO()
        Image.open(people / label["path"]).convert("RGB").save(expected, "JPEG", quality=82)
        assert client.get(f"/picture/{row}").content == expected.getvalue()
    assert client.get("/picture/8").status_code == 404


def test_filters_choose_cameras_and_times(service, people):
    vector = service.model.embed_pixels(service.model.pixels_of(query(people))[None], "infrared")[0]
    gallery = service.gallery
    for number in range(3):
        labels = {
            "path": f"{number}",
            "identity": "",
            "camera": f"c{number}",
            "modality": "visible",
        }
        file = people / f"{number}.png"
        file.write_bytes(query(people))
        gallery.add(NewPicture(file, labels, vector))
    assert [m["row"] for m in gallery.search(vector, 9, Filter(["c0", "c2"]))] == [8, 10]
    assert {m["row"] for m in gallery.search(vector, 20, Filter(["", "c1"]))} == {*range(8), 9}
    assert not gallery.search(vector, 9, Filter(["none"]))
    later = time.time() + 3600
    assert not gallery.search(vector, 9, Filter(since=later))
    assert len(gallery.search(vector, 20, Filter(until=later))) == 11


def test_an_added_picture_is_found_at_once_and_after_a_restart(
    service, people, tmp_path, monkeypatch
):
    client, data = client_of(service), query(people, "bo")
    params = {"modality": "infrared", "identity": "bo", "camera": HOSTILE}
    assert client.post("/add", content=data, params=params).json() == {"row": 8}
    best = ask(client, data).json()["matches"][0]
    assert best["row"] == 8 and best["score"] == pytest.approx(1) and best["camera"] == HOSTILE
    assert client.get("/picture/8").status_code == 200
    monkeypatch.setattr(start, "load_model", lambda source: service.model)
    again = start.open_service("toy", str(tmp_path / "gallery"), added=tmp_path / "added")
    best = ask(client_of(again), data).json()["matches"][0]
    assert best["row"] == 8 and best["score"] == pytest.approx(1) and best["camera"] == HOSTILE


def bomb():
    """Return a PNG of 60,000 x 60,000 pixels in its header, and 100 bytes."""
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "params", "status"),
    [
        (b"", {}, 400),
        (b"GIF89a" + b"x" * 50, {}, 415),
        (b"<svg onload=alert(1)>", {}, 415),
        (bomb(), {}, 415),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, {}, 415),
        (b"x" * (2 << 20), {}, 413),
        (None, {"modality": "thermal"}, 400),
        (None, {"modality": ""}, 400),
        (None, {"top": "0"}, 400),
        (None, {"top": "1e9"}, 400),
        (None, {"top": "nan"}, 400),
        (None, {"since": "yesterday"}, 400),
        (None, {"camera": "no such camera"}, 200),
    ],
)
def test_bad_requests_end_in_a_sentence(service, people, data, params, status):
    client = client_of(service, Limits(bytes=1 << 20))
    answer = ask(client, query(people) if data is None else data, **params)
    assert answer.status_code == status and ("error" in answer.json()) == (status != 200)
    assert ask(client, query(people)).status_code == 200


def test_no_path_of_a_client_is_opened(service):
    client = client_of(service)
    for path in ("/picture/../../etc/passwd", "/picture/-1", "/picture/%2e%2e", "/serve/app.py"):
        assert client.get(path).status_code in (404, 405)


def test_other_sites_and_strangers_are_refused(service, people):
    data = query(people)
    assert ask(client_of(service, headers={}), data).status_code == 403
    other = client_of(service, headers=SENDER | {"host": "evil.example"})
    assert other.get("/").status_code == 400
    client = client_of(service, token="secret", open_to_all=True)
    assert ask(client, data).status_code == 401 and client.get("/picture/0").status_code == 401
    assert client.get("/", params={"token": "wrong"}).cookies == {}
    assert client.get("/", params={"token": "secret"}, follow_redirects=False).status_code == 303
    assert ask(client, data).status_code == 200  # by the cookie
    bearer = client_of(service, token="secret", headers=SENDER | {"authorization": "Bearer secret"})
    assert ask(bearer, data).status_code == 200


def test_adding_needs_a_folder_and_names_that_can_be_shown(service, people):
    client, params = client_of(service), {"modality": "visible", "camera": "x" * 201}
    assert client.post("/add", content=query(people), params=params).status_code == 400
    params["camera"] = "a\nb"
    assert client.post("/add", content=query(people), params=params).status_code == 400
    service.added = None
    params["camera"] = "1"
    assert client.post("/add", content=query(people), params=params).status_code == 403
    assert len(service.gallery) == 8


def test_a_client_has_so_many_requests_in_a_minute():
    clients = Clients(2)
    clients.count("a", 0.0)
    clients.count("a", 1.0)
    clients.count("b", 1.0)
    with pytest.raises(Refused):
        clients.count("a", 2.0)
    clients.count("a", 60.5)


def test_a_gallery_of_pictures_or_of_another_model_is_refused(
    service, people, tmp_path, monkeypatch
):
    monkeypatch.setattr(start, "load_model", lambda source: toy_model("b" * 64))
    for gallery in (people, tmp_path / "gallery"):
        with pytest.raises(UserError) as error:
            start.open_service("toy", str(gallery))
        assert error.value.about == ("--gallery",)


WITHOUT = """
import runpy, sys
sys.modules["starlette"] = None
sys.argv = ["serve", "--model=synthetic", "--gallery=none"]
runpy.run_module("dmcf_jax.cli.serve", run_name="__main__")
"""


@pytest.mark.slow
def test_without_its_packages_the_command_says_what_to_install():
    words = [sys.executable, "-c", WITHOUT]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 2 and "dmcf_jax[serve]" in ran.stderr
    assert "Traceback" not in ran.stderr


@contextlib.contextmanager
def listening(service, limits=LIMITS):
    """Serve on a free port of the loopback address; yields the address."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(make_app(service, limits), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.mark.slow
def test_two_hundred_requests_at_once_are_all_answered_as_one_is(service, people):
    data = query(people)
    alone = ask(client_of(service), data).json()

    def one(number):
        if number % 4:
            return httpx.post(
                f"{address}/search?modality=infrared", content=data, headers=SENDER, timeout=60
            ).json()
        return httpx.get(f"{address}/picture/{number % 8}", timeout=60).status_code

    with listening(service) as address, concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(one, range(200)))
    assert all(answer in (200, alone) for answer in answers)
    assert answers.count(200) == 50


def test_more_than_the_server_takes_are_told_to_come_back(service, people):
    client = client_of(service, Limits(at_once=0))
    answer = ask(client, query(people))
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"


DROP = """
(() => {{
  const bytes = Uint8Array.from(atob("{data}"), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "night.png", {{ type: "image/png" }}));
  document.getElementById("drop").dispatchEvent(
    new DragEvent("drop", {{ dataTransfer: files, bubbles: true }}));
}})()
"""


@needs_chromium
@pytest.mark.slow
def test_a_browser_finds_filters_and_adds_and_runs_no_name(service, people, tmp_path):
    data = base64.b64encode(query(people, HOSTILE)).decode()
    with listening(service) as address, open_tab(tmp_path, address) as tab:
        tab.wait_for("document.getElementById('about').textContent.includes('8 pictures')")
        tab.run(DROP.format(data=data))
        tab.wait_for("document.querySelectorAll('#matches figure').length === 8")
        tab.wait_for("[...document.images].every((i) => i.complete && i.naturalWidth)")
        shown = tab.run("document.getElementById('matches').innerText")
        assert HOSTILE in shown and tab.run("document.title") == "Search a gallery"
        tab.run("document.getElementById('camera').value = 'gate'")
        tab.run("document.getElementById('add').click()")
        tab.wait_for("document.getElementById('said').textContent.includes('picture 8')")
        tab.run("document.querySelector('#cameras input[value=\"\"]').checked = false")
        tab.run("document.getElementById('search').click()")
        tab.wait_for("document.querySelectorAll('#matches figure').length === 1")
        assert "gate" in tab.run("document.getElementById('matches').innerText")
        tab.shot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as shot:
        assert len(shot.convert("RGB").getcolors(1 << 24)) > 1000  # pictures were drawn
