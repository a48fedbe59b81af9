"""Whatever is sent to whatever route, as whom ever: no failure of ours, nothing undeclared."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine

from alerts.access.keys import Role
from alerts.storage.store import Store
from api.application import ApiOptions
from api.description import describe
from api.limit_settings import LimitSettings
from api.server import serve
from tests.api.calls import NOW, application, finding

#: What every answer is held against.
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)

#: As much as can be asked for.
UNLIMITED: Final = LimitSettings(
    authentication=10**6, read=10**6, write=10**6, export=10**6, address=10**6
)

#: All that can be thought of as whoever may most and least; as the others, what is likely.
_ALL: Final = "examples,coverage,fuzzing"
PHASES: Final = {None: _ALL, Role.ADMIN: _ALL} | dict.fromkeys(
    (Role.VIEWER, Role.ANALYST), "examples,fuzzing"
)

SECRET_PLACES: Final = ("sqlalchemy", "Traceback", "site-packages", 'File "')


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_nothing_fails_and_nothing_is_undeclared(
    role: Role | None, engine: Engine, tmp_path: Path
) -> None:
    with application(engine, tmp_path, ApiOptions(UNLIMITED)) as api:
        Store(engine).record([finding(n, f"10.0.0.{n}") for n in range(3)], watermark=None)
        document = tmp_path / "openapi.json"
        document.write_text(json.dumps(describe(api.app)))
        options: list[str] = []
        if role is not None:
            _, secret = api.keys.create_key("fuzz", role, NOW)
            options = ["-H", f"Authorization: Bearer {secret.get_secret_value()}"]
        server = serve(api.app, "127.0.0.1", 0)
        try:
            report = subprocess.run(
                [
                    str(Path(sys.executable).with_name("schemathesis")),
                    *("run", str(document), "--url", server.url, "--no-color"),
                    *("--checks", ",".join(CHECKS), "--phases", PHASES[role]),
                    *("--max-examples", "3", "--exclude-path", "/api/v1/stream"),
                    *("--warnings", "off", "--generation-deterministic"),
                    *options,
                ],
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
                cwd=tmp_path,
            )
        finally:
            server.stop()
    assert report.returncode == 0, report.stdout[-4_000:]
    assert not [word for word in SECRET_PLACES if word in report.stdout]
