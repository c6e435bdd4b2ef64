#!/bin/sh
# Makes /opt/env: a virtual environment of the files in requirements.lock, and of nothing else.
set -eu
cd /opt/envsnap

python3 -m venv --without-pip /opt/env

# The base image's own pip does the work, run by the new environment's Python. So the environment
# has a pip only if the captured one had.
PYTHONPATH=$(python3 -c 'import os, pip; print(os.path.dirname(os.path.dirname(pip.__file__)))')
export PYTHONPATH PYTHONNOUSERSITE=1 LC_ALL=C.UTF-8
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1

# No index is asked: artifacts.html has the address of each file, requirements.lock its hash.
/opt/env/bin/python -m pip install --no-index --find-links artifacts.html \
    --no-deps --require-hashes --ignore-installed --no-cache-dir -r requirements.lock
# Source archives. The index is asked for the tools that build them, which are not pinned.
/opt/env/bin/python -m pip install --find-links artifacts.html \
    --no-deps --require-hashes --ignore-installed --no-cache-dir -r requirements-source.lock
