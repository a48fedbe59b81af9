"""Files and folders that nobody else may read."""

import os
from pathlib import Path


def private_folder(folder: Path) -> Path:
    """Make a folder (0700) if it is not there; return it. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def private_file(file: Path) -> Path:
    """Make an empty file (0600), to be written to; return it. Raises OSError."""
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    return file


def write_private(file: Path, data: bytes) -> None:
    """Write a file (0600) all at once: who reads it meanwhile sees it as it was."""
    private_folder(file.parent)
    new = file.with_name(f"{file.name}.new-{os.getpid()}")
    private_file(new).write_bytes(data)
    new.replace(file)
