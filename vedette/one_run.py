"""The secret for commands that read files once."""

from alerts.access.secret import NoSecretError, secret_of_one_run, server_secret
from ingest.masking import printable
from vedette.folders import secret_file
from vedette.screen import note, terminal


def secret_for_files() -> bytes:
    """Return the installation's secret; where none can be kept, one for this run, and say so.

    Raises SecretError for a secret that is there and cannot be used.
    """
    try:
        return server_secret(secret_file())
    except NoSecretError as error:
        note(
            terminal(stderr=True),
            f"vedette: {printable(str(error))}",
            "Until then hashes of API keys, and pseudonyms, are of this run only.",
        )
        return secret_of_one_run()
