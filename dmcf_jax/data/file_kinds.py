"""What a file is: by the ending of its name where folders are listed, by its first bytes else."""

from pathlib import PurePath

# Endings of what is read. A JPEG is also called .jfif and .jpe, a BMP .dib.
PICTURES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".bmp",
    ".dib",
    ".tif",
    ".tiff",
    ".webp",
)
# Pictures of kinds that are not read.
OTHER_PICTURES = (
    ".gif",
    ".ppm",
    ".pgm",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".jxl",
    ".dng",
    ".seq",
)
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts")
TABLES = (".csv", ".tsv", ".txt")
# Folders that systems, disk stations and notebooks make; their pictures are copies.
OF_MACHINES = (
    "__macosx",
    "@eadir",
    "#recycle",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "lost+found",
    "thumbnails",
    "__pycache__",
)
NAMED = "JPEG, PNG, BMP, TIFF or WebP"
NOT_A_PICTURE = f"not a {NAMED} image"
_CONVERT = f": convert it to {NAMED}"

JPEG_START, PNG_START = b"\xff\xd8", b"\x89PNG"
_STARTS = {
    JPEG_START: "JPEG",
    PNG_START: "PNG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"GIF8": f"a GIF{_CONVERT}",
    b"\0\0\0\x0cjP": f"a JPEG 2000{_CONVERT}",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive",
    b"version https://git-lfs": "a pointer of Git LFS (run: git lfs pull)",
}
_BRANDS = {
    brand: f"{kind}{_CONVERT}"
    for brand, kind in (
        (b"heic", "a HEIC"),
        (b"heix", "a HEIC"),
        (b"mif1", "a HEIC"),
        (b"avif", "an AVIF"),
    )
}


def is_of_machines(folder: str) -> bool:
    """Return whether a folder is hidden, or one that programs make, by its name."""
    return folder.startswith(".") or folder.lower() in OF_MACHINES


def suffix_of(name: str) -> str:
    """Return the ending of a file name in lower case, such as '.jpg'."""
    return PurePath(name).suffix.lower()


def refusal(name: str) -> str | None:
    """Return why a file cannot be read as a picture, by the ending of its name; None if it can."""
    suffix = suffix_of(name)
    if suffix in PICTURES:
        return None
    if suffix in VIDEOS:
        return f"{suffix} is a video and only pictures are read: cut it into frames"
    if suffix in OTHER_PICTURES:
        return f"{suffix} is not read: convert it to {NAMED}"
    return f"{suffix or 'a file without an ending'} is no picture: expected {NAMED}"


def recognise(data: bytes) -> str:
    """Return the format that the first bytes of a file show, '' for none.

    Of kinds that are not read, it is what to call them and the way out.
    """
    for start, kind in _STARTS.items():
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "a video: cut it into frames")
    if data.lstrip()[:1] == b"<":
        return "a web page: download the picture again"
    return ""
