"""Share a run: write its folder, and upload it where that was asked for."""

from pathlib import Path

from dmcf_jax.errors import Problem, UserError
from dmcf_jax.export.hub.push import check_push, push
from dmcf_jax.export.hub.write import export_hub
from dmcf_jax.runs.load import load_trained
from dmcf_jax.runtime.console import log, log_time
from dmcf_jax.runtime.paths import local_path


def share_run(
    workdir: str | Path,
    out: str | Path | None = None,
    *,
    step: int | None = None,
    best: bool = False,
    licence: str | None = None,
    repository: str | None = None,
    public: bool = False,
) -> Path:
    """Write a run as a folder for the hub and return its path; with a repository, upload it.

    Args:
        out: the folder; by default `<workdir>/export/hub`.
        step, best: which checkpoint, see `load_trained`.
        licence: see `export_hub`.
        repository: 'owner/name' to upload to; None uploads nothing.
        public: whether all may see it.

    Raises:
        UserError: there is no run, a folder or repository that cannot be written, or a missing
            package.
    """
    if repository:
        check_push(repository)
    elif public:
        raise UserError("--public is for --push=owner/name", about="--public")
    trained = load_trained(workdir, step, best)
    folder = Path(out) if out else local_path(workdir) / "export" / "hub"
    with log_time(f"writing and verifying {folder}"):
        export_hub(trained, local_path(workdir), folder, licence, repository)
    if repository:
        with log_time(f"uploading to {repository}"):
            log(f"uploaded: {push(folder, repository, public)}")
    return folder


def refuse_hub_flags(export_format: str, given: dict[str, object]) -> None:
    """Refuse flags that mean nothing for another format.

    Args:
        given: by name, such as 'push', what the flag was set to.

    Raises:
        UserError: naming all of them.
    """
    problems = [
        Problem(f"--{name}", f"--{name} is for --format=hub, not for {export_format}")
        for name, value in given.items()
        if value
    ]
    if problems:
        raise UserError.listing("these flags would have no effect:", problems)
