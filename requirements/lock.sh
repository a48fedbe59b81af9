#!/bin/sh
# Works out the locks anew from pyproject.toml: sh requirements/lock.sh [--upgrade]
# Without --upgrade a version moves only where pyproject.toml demands it.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONHOME PIP_FIND_LINKS UV_FIND_LINKS PIP_TARGET PIP_PREFIX
export PIP_USER=0 UV_PYTHON_DOWNLOADS=never
venv=.venv-lock

python=$(sh requirements/python.sh)
[ -x "$venv/bin/python" ] || "$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --requirement requirements/uv.txt

compile() { # OUTPUT INPUT [OPTION...]
    output=$1
    shift
    printf 'Locking %s\n' "$output" >&2
    "$venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --output-file "$output" $upgrade "$@" >/dev/null
}
upgrade=${1:-}

"$venv/bin/python" - >"$venv/build.in" <<'END'
import pathlib, tomllib
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text(encoding="utf-8"))
print("\n".join(project["build-system"]["requires"]))
END
echo uv >"$venv/uv.in"
compile requirements/uv.txt "$venv/uv.in"
compile requirements/build.txt "$venv/build.in"
compile requirements/run.txt pyproject.toml
compile requirements/test.txt pyproject.toml --extra test --extra docs \
    --constraint requirements/run.txt
compile requirements/docs.txt pyproject.toml --extra docs \
    --constraint requirements/run.txt --constraint requirements/test.txt
compile requirements/notebooks.txt pyproject.toml --extra notebooks \
    --constraint requirements/run.txt --constraint requirements/test.txt
