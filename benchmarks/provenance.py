"""What a measurement was made with: commit, versions, and where these are not the tested ones."""

import importlib.metadata
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "jax-cuda12-plugin")
PACKAGES += ("jax-cuda13-plugin", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13", "libtpu")


def versions() -> dict[str, str]:
    """Return the versions of what decides the speed, where it is installed."""
    found = importlib.metadata.distributions()
    installed = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in found}
    return {name: installed[name] for name in PACKAGES if name in installed}


def other_than_constraints() -> dict[str, list[str]]:
    """Return (tested, installed) version of each package that is not what was tested."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.partition(";")[0].strip().split("==") for line in lines if "==" in line]
    tested: dict[str, list[str]] = {}
    for name, version in pins:
        tested.setdefault(name, []).append(version)
    installed = versions()
    return {
        name: [*wanted, installed[name]]
        for name, wanted in tested.items()
        if name in installed and installed[name] not in wanted
    }


def commit() -> str | None:
    """Return the commit that is measured, with '+' where files differ from it; None if unknown."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
