"""Every notebook runs from a clean kernel, shows pictures, and is kept without its output."""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

import pytest

NOTEBOOKS: Final = Path(__file__).resolve().parents[2] / "notebooks"
FILES: Final = sorted(NOTEBOOKS.glob("*.ipynb"))

#: Notebooks that end with lines for the settings.
TUNING: Final = ("02_tune_a_threshold", "04_client_model", "05_write_a_rule")

#: Seconds after which a cell is taken to hang, on a machine that does much else.
LIMIT: Final = 300


def obstacle() -> str | None:
    """Why notebooks cannot be run here, None if they can."""
    try:
        import ipykernel as _ipykernel  # noqa: F401, PLC0415
        import nbclient as _nbclient  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        return f"notebooks need {error.name}: make test installs it"
    return None


def cells(file: Path) -> list[dict[str, Any]]:
    """The cells of a notebook."""
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return found


def run(file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Run a notebook in a kernel of its own and return the outputs of its cells."""
    import nbclient  # noqa: PLC0415
    import nbformat  # noqa: PLC0415

    for name in ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    monkeypatch.setenv("MPLCONFIGDIR", str(folder / "matplotlib"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    book = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(
        book, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [output for cell in book.cells for output in cell.get("outputs", ())]


def test_there_are_notebooks() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_notebook_is_kept_without_output(file: Path) -> None:
    for cell in cells(file):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_notebook_has_one_cell_to_change_and_explains_each_other(file: Path) -> None:
    kinds = [cell["cell_type"] for cell in cells(file)]
    assert kinds[:2] == ["markdown", "code"]
    settings = "".join(cells(file)[1]["source"])
    assert re.search(r"^LOG = None$", settings, re.M)
    assert kinds.count("markdown") >= kinds.count("code") - 2


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_notebook_runs_from_a_clean_kernel(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = obstacle()
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    outputs = run(file, tmp_path, monkeypatch)
    assert not [output for output in outputs if output.output_type == "error"]
    stderr = [output.text for output in outputs if output.get("name") == "stderr"]
    assert stderr == []
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any("text/html" in output.get("data", {}) for output in outputs)
    printed = "".join(output.text for output in outputs if output.get("name") == "stdout")
    limit = re.search(r"^\[detectors\.\w+\]\nthreshold = \d+$", printed, re.MULTILINE)
    assert file.stem not in TUNING or limit
