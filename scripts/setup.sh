#!/bin/sh
# Set up envsnap in .venv of this checkout: once, then again only when pyproject.toml changes.
# Usage: setup.sh demo|test|dev    what is needed to run it, to test it, to develop it
set -eu
cd "$(dirname "$0")/.."
. scripts/environments.sh

purpose=${1:-demo}
case $purpose in
demo) requirement='.[lock]' serves='demo' ;;
test) requirement='.[test,lock]' serves='demo test' ;;
dev) requirement='.[dev]' serves='demo test dev' ;;
*)
    echo "usage: setup.sh demo|test|dev" >&2
    exit 2
    ;;
esac

state="$(cksum <pyproject.toml) $(pwd)"
if [ "$(cat ".venv/envsnap-$purpose" 2>/dev/null)" = "$state" ] && is_new_enough .venv/bin/python; then
    exit 0
fi

echo "Setting up envsnap in .venv (once, well under a minute; nothing outside this folder but caches)"
if ! make_environment .venv || ! install_into .venv --editable "$requirement"; then
    echo "envsnap could not be set up: see the lines above" >&2
    exit 1
fi
for name in $serves; do
    echo "$state" >".venv/envsnap-$name"
done
echo "Ready: $(.venv/bin/python -V) in .venv"
