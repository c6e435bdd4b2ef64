# Functions to make a virtual environment and install into it, with uv where it is on PATH and
# with python3's own venv and pip elsewhere. Sourced by setup.sh and demo.sh; POSIX sh.

# What a caller's shell has set must not leak into the environments made here.
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV CONDA_PREFIX
export PIP_DISABLE_PIP_VERSION_CHECK=1

is_new_enough() { # PYTHON: succeeds for 3.10 and newer
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

find_python() { # prints the first Python >= 3.10 on PATH; python3 itself first
    for candidate in python3 python3.13 python3.12 python3.11 python3.10 python3.14; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

explain_missing_python() {
    cat >&2 <<'END'
envsnap needs Python 3.10 or newer, and there is none on PATH. Do one of these, then run make again:
  sudo apt install python3 python3-venv       Debian 12, Ubuntu 22.04 and newer
  without root: install uv (https://docs.astral.sh/uv/), which brings a Python of its own
END
}

explain_missing_venv() { # PYTHON
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    cat >&2 <<END
$1 (Python $version) cannot make virtual environments: its venv module is not installed.
Do one of these, then run make again:
  sudo apt install python3-venv               for the distribution's own python3
  sudo apt install python$version-venv            for exactly this one
  without root: install uv (https://docs.astral.sh/uv/) and have it on PATH
END
}

quietly() { # COMMAND...: shows what the command printed only if it fails
    printed=$(mktemp) || return 1
    status=0
    "$@" >"$printed" 2>&1 || status=$?
    [ "$status" -eq 0 ] || cat "$printed" >&2
    rm -f "$printed"
    return "$status"
}

make_environment() { # DIR: a virtual environment there, made new if the one there has no working Python
    if is_new_enough "$1/bin/python"; then
        return 0
    fi
    rm -rf "$1"
    python=$(find_python) || python=
    if command -v uv >/dev/null 2>&1 && quietly uv venv --quiet --python "${python:->=3.10}" "$1"; then
        return 0
    fi
    if [ -z "$python" ]; then
        explain_missing_python
        return 1
    fi
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        explain_missing_venv "$python"
        return 1
    fi
    quietly "$python" -m venv "$1"
}

install_into() { # DIR REQUIREMENT...: with uv if it is there, and with pip where uv is not or fails
    environment=$1
    shift
    if command -v uv >/dev/null 2>&1; then
        if quietly uv pip install --quiet --python "$environment/bin/python" "$@"; then
            return 0
        fi
        echo "uv could not install it; trying pip, which has settings of its own" >&2
    fi
    "$environment/bin/python" -m pip --version >/dev/null 2>&1 ||
        quietly "$environment/bin/python" -m ensurepip || return
    quietly "$environment/bin/python" -m pip install --quiet "$@"
}
