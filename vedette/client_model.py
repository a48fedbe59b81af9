"""The file of the client model: where it is, and who may read and write it."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from alerts.access.secret import server_secret
from ingest.masking import printable
from vedette.folders import secret_file, state_folder
from vedette.settings import Settings

if TYPE_CHECKING:
    from detectors.learned.clients.model import ClientModel


class ClientModelError(Exception):
    """The client model cannot be taken; the message says why and what to do."""


def model_file(settings: Settings) -> Path:
    """Return where the model is, or is to be."""
    named = settings.clients.model
    return state_folder() / "clients.model" if named is None else Path(named).expanduser()


def load_model(settings: Settings) -> "ClientModel | None":
    """Return the model, None if there is none and the settings name none.

    A model is taken only if it was made under this installation's secret. Raises
    ClientModelError, alerts.access.secret.SecretError.
    """
    file = model_file(settings)
    if not file.exists():
        if settings.clients.model is None:
            return None
        raise ClientModelError(
            f"clients.model: there is no {printable(str(file))}; make it with vedette train LOGS,"
            " or take the setting out"
        )
    # Only now, as most installations have no model: it takes libraries that are slow to load.
    from detectors.learned.clients.model import ModelError, read

    try:
        return read(file.read_bytes(), server_secret(secret_file()))
    except OSError as error:
        raise ClientModelError(f"{printable(str(file))}: {error.strerror}") from error
    except ModelError as error:
        raise ClientModelError(
            f"{printable(str(file))}: this client model is not taken: {error}, or move the file"
            " away"
        ) from error


def save_model(settings: Settings, model: "ClientModel") -> Path:
    """Write a model for this installation, in place of one before; return its file.

    Raises alerts.access.secret.SecretError, OSError.
    """
    from detectors.learned.clients.model import written

    file = model_file(settings)
    content = written(model, server_secret(secret_file()))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return file
