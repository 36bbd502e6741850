"""Models by name: on the Hugging Face hub, as folders of config.json and model.safetensors with a card.

The network is touched where a name begins with `hf:`, and by `push`; HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE
mean what they mean to all of the hub's clients.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from seq2seq.console import say
from seq2seq.errors import UserError

PREFIX = "hf:"
_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_FILES = ["*.json", "*.safetensors", "*.onnx", "*.npz", "README.md"]
"""Of a repository, what a model needs."""


def located(name: str | Path) -> Path:
    """A folder: the one that is named, or of `hf:USER/NAME`, `hf:USER/NAME@REVISION` a copy of what lies there.

    Raises:
        UserError: there is no such model, or it can neither be reached nor was it fetched before.
    """
    return fetched(str(name)) if str(name).startswith(PREFIX) else Path(name)


@functools.cache
def fetched(name: str) -> Path:
    """A copy of what lies on the hub, kept in the hub's cache; which commit it is of is said on stderr.

    A process looks a name up once: all that it does is done with the same model.
    """
    match = _NAME.fullmatch(name.removeprefix(PREFIX))
    if match is None:
        raise UserError(f"{name}: no name of a model on the hub; write hf:USER/NAME, or hf:USER/NAME@REVISION")
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - takes a third of a second

    repo, revision = match["repo"], match["revision"]
    with _told(name):
        folder = Path(snapshot_download(repo, revision=revision, allow_patterns=_FILES, endpoint=_endpoint()))
    if revision != folder.name:
        say(f"{PREFIX}{repo}@{folder.name}")
    if not (folder / "config.json").exists():
        raise UserError(f"{name}: no model of seq2seq's (it has no config.json)")
    return folder


def push(folder: Path, repo: str, branch: str | None, private: bool | None, message: str) -> str:
    """Upload a model's folder; files of another model that lie there go.

    Args:
        repo: USER/NAME; made where it is not there.
        branch: None: main.
        private: whether only its owner sees it, where it is made; None: as the hub does.

    Returns:
        the commit.

    Raises:
        UserError: it cannot be written there.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise UserError(f"{repo[:80]}: no name on the hub; write USER/NAME")
    from huggingface_hub import HfApi  # noqa: PLC0415 - as above

    api = HfApi(endpoint=_endpoint())
    with _told(PREFIX + repo):
        api.create_repo(repo, exist_ok=True, private=private)
        if branch is not None:
            api.create_branch(repo, branch=branch, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo, folder_path=folder, commit_message=message, revision=branch,
            allow_patterns=_FILES, delete_patterns=_FILES,
        )  # fmt: skip
    fetched.cache_clear()
    return str(done.oid)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """The hub's errors as the user's."""
    from huggingface_hub import errors  # noqa: PLC0415 - as above

    of_network: type[Exception] = vars(errors).get("HTTPError", OSError)  # of the HTTP client that it uses
    log_in = "log in with: hf auth login, or set HF_TOKEN"
    try:
        yield
    except errors.RevisionNotFoundError:
        raise UserError(f"{name}: there is no such revision; name a branch, a tag or a commit") from None
    except errors.GatedRepoError:
        raise UserError(
            f"{name}: its owner asks for consent first; give it on the model's page, and {log_in}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(f"{name}: not there, or private; check the name, or {log_in}") from None
    except errors.LocalEntryNotFoundError:
        raise UserError(f"{name}: the hub cannot be reached, and nothing was fetched from there before; try again "
                        "later, or name a folder") from None  # fmt: skip
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        fix = log_in if status in (401, 403) else "try again later"
        raise UserError(f"{name}: the hub answers with HTTP error {status}; {fix}") from None
    except (errors.HFValidationError, of_network, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{name}: {reason[:200]}; check the name and the network") from None
