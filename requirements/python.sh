#!/bin/sh
# Prints the name of a Python >= 3.11 that can make virtual environments; explains itself on stderr.
# As root on a machine with apt-get it installs a missing venv module itself.
# PYTHON=/path/to/python in the environment (or: make run PYTHON=...) leaves no choice.
set -eu

look_for_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3.13 python3.12 python3.11 python3 /usr/bin/python3 python
    fi
    python='' bare='' bare_version='' found=''
    for name do
        version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        found="$found${found:+, }$name is $version"
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
        if "$name" -c 'import venv; from ensurepip import version; version()' 2>/dev/null; then
            python=$name
            return
        fi
        [ -n "$bare" ] || bare=$name bare_version=$version
    done
}

say() { printf '%s\n' "$*" >&2; }

look_for_python
if [ -z "$python" ] && [ -n "$bare" ]; then
    package="python$bare_version-venv"
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        say "Python $bare_version lacks venv: installing $package with apt-get"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq >&2 || say "apt-get update failed; trying with the package lists as they are"
        apt-get install -y -qq "$package" >&2 || say "apt-get could not install $package"
        look_for_python
    fi
    if [ -z "$python" ]; then
        say "Python $bare_version ($bare) lacks the modules venv and ensurepip. Install them, then run make again:"
        say "    sudo apt-get install $package"
        say "(the name on Debian and Ubuntu; elsewhere the package that brings Python's venv)"
        exit 1
    fi
fi
if [ -z "$python" ]; then
    say "Vedette needs Python 3.11 or newer with venv. Found: ${found:-no Python that runs}."
    say "Install one, or name it: make PYTHON=/path/to/python3.11 ..."
    exit 1
fi
printf '%s\n' "$python"
