#!/bin/sh
# Makes .venv ready for one of make's targets: sh requirements/setup.sh run|test|notebooks|docs
# Says nothing and needs no network when nothing has changed since the last time.
set -eu
cd "$(dirname "$0")/.."
lock=$1
venv=.venv
stamps=$venv/.stamps
unset PYTHONHOME PIP_TARGET PIP_PREFIX PIP_CONSTRAINT
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*" >&2; }
state() { cat "$@" | cksum; }
is_current() { # NAME FILE...: were these files, as they are now, what was last installed as NAME?
    name=$1
    shift
    [ "$(cat "$stamps/$name" 2>/dev/null)" = "$(state "$@")" ]
}
mark() {
    name=$1
    shift
    state "$@" >"$stamps/$name"
}
pip() {
    "$venv/bin/python" -m pip --quiet "$@" || {
        say "Setting up $venv failed: pip's message is above. Run make again once the cause is gone."
        exit 1
    }
}
install() { pip install --require-hashes --requirement "$1"; }

# Scripts and the editable project name their folder: a moved or half-made .venv is made anew.
if ! "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    [ "$(cat "$stamps/place" 2>/dev/null || pwd)" != "$(pwd)" ]; then
    python=$(sh requirements/python.sh)
    say "Setting up $venv with $("$python" --version 2>&1) (first time only, about a minute)"
    "$python" -m venv --clear "$venv"
fi
mkdir -p "$stamps"
pwd >"$stamps/place"

if ! is_current build requirements/build.txt; then
    install requirements/build.txt
    mark build requirements/build.txt
    rm -f "$stamps/project"
fi
# Every lock holds all of run.txt, so a new run.txt makes all the others stale.
is_current run requirements/run.txt || rm -f "$stamps/test" "$stamps/notebooks" "$stamps/docs"
if ! is_current "$lock" "requirements/$lock.txt"; then
    say "Installing the $(grep -c '==' "requirements/$lock.txt") packages of requirements/$lock.txt"
    install "requirements/$lock.txt"
    mark "$lock" "requirements/$lock.txt"
    mark run requirements/run.txt
fi
if ! is_current project pyproject.toml; then
    pip install --no-build-isolation --no-deps --no-index --editable .
    mark project pyproject.toml
    say "$venv is ready"
fi
