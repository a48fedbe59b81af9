"""/static: the page's own files and the vendored ones, from the package."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Query, Response

router = APIRouter(include_in_schema=False)

#: What is served, by the ending of its name; nothing else in the folder is.
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

#: For an address that names the version; it never has other content.
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"

_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file with its type; `version` is a part of its hash."""

    content: bytes
    media_type: str
    version: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Read what is served, by name."""
    found: dict[str, StaticFile] = {}
    for entry in files("api.page").joinpath("static").iterdir():
        media_type = _TYPES.get(entry.name.rpartition(".")[2])
        if media_type is not None:
            content = entry.read_bytes()
            found[entry.name] = StaticFile(
                content, media_type, sha256(content).hexdigest()[:_DIGITS]
            )
    return found


def static_url(name: str) -> str:
    """Return a file's address, which changes with its content. Raises KeyError."""
    return f"/static/{name}?v={static_files()[name].version}"


@router.get("/static/{name}")
def read(
    name: Annotated[str, Path(max_length=64)],
    v: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Return one file of the page; these say nothing about anybody."""
    found = static_files().get(name)
    if found is None:
        raise HTTPException(404, "there is no such file")
    keep = _FOR_GOOD if v == found.version else _ASK_AGAIN
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": keep})
