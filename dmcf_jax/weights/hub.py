"""Files of the Hugging Face hub, by `hf://owner/name` or `hf://owner/name@revision`.

Nothing is asked of the network before such an address is given. The hub's own package (the extra
`hub`) is imported only then; it also finds the user's token, which is never shown here.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.runtime.console import log
from dmcf_jax.runtime.paths import HUB

INSTALL = "pip install dmcf_jax[hub]"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,199}", re.ASCII)


class Address(NamedTuple):
    """What an address names: the repository 'owner/name' and its branch, tag or commit."""

    repository: str
    revision: str | None


def is_address(source: str) -> bool:
    """Return whether `source` begins with hf://."""
    return source.startswith(HUB)


def parse_address(address: str) -> Address:
    """Return the parts of hf://owner/name[@revision].

    Raises:
        UserError: it has another form.
    """
    repository, at, revision = address.removeprefix(HUB).strip("/").partition("@")
    fits = REPOSITORY.fullmatch(repository) and ".." not in address
    if not fits or bool(at) != bool(_REVISION.fullmatch(revision)):
        raise UserError(
            f"{address} is no repository; expected {HUB}owner/name or {HUB}owner/name@revision",
            about=address,
        )
    return Address(repository, revision or None)


def require_hub(about: str) -> Any:
    """Return the package huggingface_hub, with its errors.

    Args:
        about: the address or the flag that needs it.

    Raises:
        UserError: it is not installed.
    """
    try:
        import huggingface_hub  # optional
        import huggingface_hub.errors
    except ImportError:
        text = f"{about} needs huggingface_hub, the extra `hub`: {INSTALL}"
        raise UserError(text, about=about) from None
    return huggingface_hub


@contextlib.contextmanager
def hub_errors(package: Any, about: str, failed: str, missing: str, cure: str) -> Iterator[None]:
    """Report whatever the hub's package raises as a `UserError` without the user's token.

    Args:
        package: what `require_hub` returned.
        about: the address or repository.
        failed: what could not be done with it, such as 'cannot be fetched'.
        missing: the file that a repository may lack.
        cure: what else the user can do.

    Raises:
        UserError: the hub refuses, cannot be reached, or sends something damaged.
    """
    try:
        yield
    except UserError:
        raise
    # Its errors have many unrelated classes (HTTP, cache, validation).
    except Exception as error:
        reason = _without_token(package, _reason(package.errors, error, missing))
        raise UserError(f"{about} {failed}: {reason}. {cure}", about=about) from None


def _reason(errors: Any, error: Exception, missing: str) -> str:
    """Return what went wrong and what to do; subclasses come before their base classes."""
    reasons = {
        errors.GatedRepoError: "its owner asks for a login; run: hf auth login",
        errors.RepositoryNotFoundError: "the hub shows no such repository; check the name, or "
        "run: hf auth login, if it is private",
        errors.RevisionNotFoundError: "the repository has no such revision; check what is after @",
        errors.LocalEntryNotFoundError: "the hub cannot be reached and it was not fetched "
        "before; check the network",
        errors.EntryNotFoundError: f"the repository has no {missing}; choose another",
    }
    status = getattr(getattr(error, "response", None), "status_code", None)
    message = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    found = [text for kind, text in reasons.items() if isinstance(error, kind)]
    if not found and status in (401, 403):
        found = ["the hub refuses this account; run: hf auth login"]
    return found[0] if found else message


def _without_token(package: Any, text: str) -> str:
    with contextlib.suppress(Exception):
        if token := package.get_token():
            return text.replace(token, "***")
    return text


def fetch_file(address: str, name: str) -> Path:
    """Return the path of one file in the local cache; download it if it is not there.

    Raises:
        UserError: the address has another form, or the file cannot be fetched.
    """
    where = parse_address(address)
    hub = require_hub(address)
    with hub_errors(hub, address, "cannot be fetched", name, "Or name a file."):
        return Path(hub.hf_hub_download(where.repository, name, revision=where.revision))


def fetch_folder(address: str, limits: Mapping[str, int]) -> Path:
    """Return the folder of a repository's snapshot in the local cache, with some of its files.

    All files are of one commit. Their sizes are asked for first, so that nothing is downloaded
    that is too big. What a repository lacks is missing in the folder. Without a network the
    snapshot that was fetched before is taken.

    Args:
        limits: names of files, and the most bytes that each may have.

    Raises:
        UserError: the address has another form, a file is too big, or it cannot be fetched.
    """
    where = parse_address(address)
    hub = require_hub(address)
    wanted: dict[str, Any] = {"revision": where.revision, "allow_patterns": list(limits)}
    cure = "Check the address, or name a folder."
    with hub_errors(hub, address, "cannot be fetched", next(iter(limits)), cure):
        if _can_be_reached(hub, address, limits):
            return Path(hub.snapshot_download(where.repository, **wanted))
        folder = Path(hub.snapshot_download(where.repository, **wanted, local_files_only=True))
        log(f"NOTE: the hub cannot be reached; {address} is what was fetched before.")
        return folder


def _can_be_reached(hub: Any, address: str, limits: Mapping[str, int]) -> bool:
    """Return whether the hub answers; refuse what it says is too big.

    Raises:
        Exception: of the hub's package, where the hub refuses.
        UserError: a file is too big.
    """
    where = parse_address(address)
    try:
        info = hub.HfApi().model_info(
            where.repository, revision=where.revision, files_metadata=True
        )
    except Exception as error:
        if getattr(error, "response", None) is not None:  # the hub answered
            raise
        return False
    _refuse_big_files(address, limits, info)
    return True


def _refuse_big_files(address: str, limits: Mapping[str, int], info: Any) -> None:
    sizes = {each.rfilename: each.size for each in info.siblings or ()}
    problems = [
        Problem(name, f"{name} has {sizes[name]} bytes, expected at most {most}")
        for name, most in limits.items()
        if name in sizes and not (sizes[name] or 0) <= most
    ]
    if problems:
        raise UserError.listing(
            f"{address} was refused, and nothing of it downloaded:",
            problems,
            "Ask its owner for the folder that dmcf export --format=hub wrote.",
        )
