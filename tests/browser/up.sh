#!/usr/bin/env bash
# Brings a browser to the tests of the page: Chromium from the distribution, and Playwright's Python package, which
# drives it, in the environment of this checkout. Quick where both are there.
#   bash tests/browser/up.sh && ENVSNAP_TEST_BROWSER=1 .venv/bin/python -m pytest -m browser
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=.venv/bin/python

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }
die() { printf '[%4d s] up.sh: %s\n' "$SECONDS" "$*" >&2; exit 1; }

chromium_here() {
    local name
    [ -z "${ENVSNAP_TEST_CHROMIUM:-}" ] || return 0
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        ! command -v "$name" >/dev/null || return 0
    done
    command -v apt-get >/dev/null || die "no Chromium on PATH: install one, or name it in ENVSNAP_TEST_CHROMIUM"
    [ "$(id -u)" = 0 ] || die "no Chromium on PATH: apt-get install chromium (as root)"
    say "apt: chromium"
    apt-get -q update || { sleep 5; apt-get -q update; }
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends \
        chromium fonts-dejavu-core
}

playwright_here() {
    ! "$python" -c 'import playwright.sync_api' 2>/dev/null || return 0
    say "playwright"
    if "$python" -c 'import pip' 2>/dev/null; then
        "$python" -m pip install -q --disable-pip-version-check 'playwright>=1.45'
    else # an environment that uv has made
        uv pip install -q --python "$python" 'playwright>=1.45'
    fi
}

[ -x "$python" ] || die "no .venv: make setup"
chromium_here
playwright_here
say "up. Next: ENVSNAP_TEST_BROWSER=1 $python -m pytest -m browser"
