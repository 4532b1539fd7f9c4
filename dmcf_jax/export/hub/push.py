"""Upload of a shared model's folder to the Hugging Face hub, in one commit."""

from pathlib import Path
from typing import Any

from dmcf_jax.errors import UserError
from dmcf_jax.export.hub.layout import FILES
from dmcf_jax.weights.hub import REPOSITORY, hub_errors, require_hub


def check_push(repository: str) -> None:
    """Refuse what cannot be pushed, before anything is loaded.

    Raises:
        UserError: `repository` is not 'owner/name', or huggingface_hub is not installed.
    """
    if not REPOSITORY.fullmatch(repository) or ".." in repository:
        text = f"--push={repository}: expected the repository as owner/name"
        raise UserError(text, about="--push")
    require_hub("--push")


def push(folder: Path, repository: str, public: bool = False) -> str:
    """Upload the files of a shared model and return the address of the commit.

    The hub's package finds the user's token (HF_TOKEN, or what `hf auth login` stored).

    Args:
        repository: 'owner/name', made if it is not there.
        public: whether all may see it; otherwise a repository that all may see is refused.

    Raises:
        UserError: no token or no right to write, the hub cannot be reached, or a public
            repository that was not asked for. The folder stays as it is.
    """
    hub = require_hub("--push")
    cure = f"{folder} is complete: repeat the command when this is solved."
    with hub_errors(hub, repository, "cannot be written on the hub", "such file", cure):
        api = hub.HfApi()
        api.create_repo(repository, private=not public, exist_ok=True)
        _refuse_public(api, repository, public)
        return str(
            api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                allow_patterns=list(FILES),
                commit_message="Add a model of dmcf_jax",
            ).commit_url
        )


def _refuse_public(api: Any, repository: str, public: bool) -> None:
    if not public and not api.model_info(repository).private:
        raise UserError(
            f"{repository} exists already and all may see it; nothing was uploaded. Add --public, "
            "or name another repository.",
            about="--push",
        )
