"""What all pages share: the document, its style and script, escaping, tables and pictures.

Everything that comes from data goes through `text`. A page also forbids every script but
`page.js`, and every request, so that a name that was not escaped could not run or fetch anything.
"""

import base64
import functools
import hashlib
import html
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from dmcf_jax.data import decode
from dmcf_jax.data.records.verify_images import read_image_file

THUMBNAIL = (192, 160)  # greatest height and width in pixels


def text(value: object) -> str:
    """Return `value` escaped for HTML text or an attribute."""
    readable = str(value).encode("utf-8", "replace").decode()
    return html.escape(readable, quote=True)


def document(title: str, body: str) -> str:
    """Return a complete page with `body`, which is HTML already."""
    style, script = _file("page.css"), _file("page.js")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{allowed}'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{rules}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<style>{style}</style>
</head>
<body>
<h1>{text(title)}</h1>
{body}
<script>{script}</script>
</body>
</html>
"""


@functools.cache
def _file(name: str) -> str:
    return files("dmcf_jax.reports.html").joinpath(name).read_text(encoding="utf-8")


def soft(lines: Sequence[str]) -> str:
    """Return a small grey paragraph for each of `lines`, which are plain text."""
    return "".join(f'<p class="soft">{text(line)}</p>' for line in lines)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table of escaped cells; one that is too wide scrolls sideways."""
    head = "".join(f"<th>{text(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def picture(pixels: np.ndarray, name: str) -> str:
    """Return an <img> with a small JPEG of uint8 [h w 3]; screen readers read `name`."""
    return _tag(Image.fromarray(pixels), name)


def picture_of_file(path: Path, name: str) -> str:
    """Return an <img> of a file, or a box 'no picture' if it cannot be read."""
    try:
        return _tag(decode.decode(read_image_file(path), None), name)
    except decode.BadImage as error:
        return f'<div class="blank" title="{text(error)}">no picture</div>'


def thumbnail(image: Image.Image) -> bytes:
    """Return a small JPEG of a picture, which is changed to its size."""
    height, width = THUMBNAIL
    image.thumbnail((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _tag(image: Image.Image, name: str) -> str:
    data = base64.b64encode(thumbnail(image)).decode()
    return f'<img alt="{text(name)}" src="data:image/jpeg;base64,{data}">'


def match_figure(
    image: str,
    rank: int,
    lines: Sequence[str],
    *,
    camera: str = "",
    right: bool | None = None,
    pale: bool = False,
) -> str:
    """Return one ranked picture.

    Args:
        image: an <img>, as `picture` gives it.
        lines: of the caption, as text; the last one, the path, is set smaller.
        camera: name for the filter.
        right: whether it shows the query's person; None if that is unknown.
        pale: a match that is not accepted.
    """
    kind, sign = {None: ("", ""), True: ("right", " ✓"), False: ("wrong", " ✗")}[right]
    kind = f"{kind} pale".strip() if pale else kind
    caption = "<br>".join(text(line) for line in [*lines[:-1], *["below threshold"] * pale])
    return (
        f'<figure class="{kind}" data-camera="{text(camera)}">{image}<figcaption>'
        f'<b>{rank}</b><b class="sign">{sign}</b> {caption}'
        f'<span class="path">{text(lines[-1])}</span></figcaption></figure>'
    )


def query_card(title: str, query: str, caption: Sequence[str], matches: str, more: str = "") -> str:
    """Return a query and its matches.

    Args:
        query: an <img>, as `picture` gives it.
        caption: lines about the query, as text.
        matches: HTML of `match_figure`.
        more: HTML below them.
    """
    return (
        '<section class="card"><div class="query">'
        f'<div class="asked"><h3>{text(title)}</h3><figure>{query}</figure>'
        f"<div>{soft(caption)}</div></div>"
        f'<div class="matches">{matches}<p class="none soft" hidden>No match from the '
        f"chosen cameras.</p></div></div>{more}</section>"
    )


def labels(identity: str, camera: str) -> list[str]:
    """Return the lines of a caption for what is known; '' is unknown."""
    named = f"camera {camera}" if camera.isdecimal() else camera
    return [line for line in (identity and f"id {identity}", named) if line]


def camera_filter(cameras: Sequence[str]) -> str:
    """Return a check box for each camera; nothing if there is only one."""
    if len(cameras) < 2:
        return ""
    boxes = "".join(
        f'<label><input type="checkbox" checked data-camera="{text(camera)}"> '
        f"{text(camera) or 'unknown camera'}</label>"
        for camera in cameras
    )
    return f'<div class="filter"><span class="soft">Show matches from camera</span>{boxes}</div>'
