#!/bin/sh
# The whole path on this machine, in demo/: an environment, its manifest, three container specs, two
# checks. Fails when a step answers anything but what it should. Called by `make demo`.
set -eu
cd "$(dirname "$0")/.."
. scripts/environments.sh

envsnap=$(pwd)/.venv/bin/envsnap
manifest=demo/envsnap.lock.json
specs=demo/container

show() { # EXPECTED-EXIT-CODES COMMAND...: runs envsnap as a user would type it; leaves its code in $status
    expected=$1
    shift
    printf '\n$ envsnap %s\n' "$*"
    status=0
    "$envsnap" "$@" || status=$?
    case " $expected " in
    *" $status "*) ;;
    *)
        echo "make demo: 'envsnap $*' ended with exit code $status, which it should not here" >&2
        exit 1
        ;;
    esac
}

made() { # PATH WHAT-IT-IS: fails if a promised file is not there
    if [ ! -s "$1" ]; then
        echo "make demo: $1 was not written" >&2
        exit 1
    fi
    printf '  %-37s %s\n' "$1" "$2"
}

requirements=$(cksum <scripts/demo-requirements.txt)
if [ "$(cat demo/env/made-from 2>/dev/null)" != "$requirements" ] || ! is_new_enough demo/env/bin/python; then
    echo "Making a small environment to capture, in demo/env: numpy, idna, requests[socks]"
    mkdir -p demo
    if ! make_environment demo/env || ! install_into demo/env --requirement scripts/demo-requirements.txt; then
        echo "make demo: the environment in demo/env could not be made: see the lines above" >&2
        exit 1
    fi
    echo "$requirements" >demo/env/made-from
fi
rm -rf "$manifest" "$specs"

# The environment is made the active one, as its user would have it.
VIRTUAL_ENV=$(pwd)/demo/env
PATH=$VIRTUAL_ENV/bin:$PATH
export VIRTUAL_ENV PATH

echo
echo "1. Capture the environment that is active here (demo/env), on this machine."
show 0 capture -o "$manifest"

echo
echo "2. Write recipes that build it again: Docker, Apptainer, repo2docker."
show 0 build "$manifest" --to dockerfile,apptainer,repo2docker -o "$specs"

echo
echo "3. Would it still run here, and give the same? Nothing has changed, so the answer is yes."
show 0 check "$manifest"

echo
echo "4. And on a cloud machine with a T4 GPU? Its profile comes with envsnap."
# The answer hangs on this machine's processor: a Cascade Lake is what the profile has.
show "0 1 4" check "$manifest" --against t4-cloud
echo
case $status in
0) echo "Exit code 0 is the answer yes: the profile has this machine's kind of processor." ;;
1) echo "Exit code 1 is the answer no, for scripts to read. The demo itself has not failed." ;;
4) echo "Exit code 4 is the answer: cannot tell. The demo itself has not failed." ;;
esac

echo
echo "Made:"
made "$manifest" "the manifest: plain JSON, to keep beside the code"
made "$specs/Dockerfile" "docker build $specs"
made "$specs/envsnap.def" "apptainer build image.sif envsnap.def (in that folder)"
made "$specs/binder/environment.yml" "repo2docker $specs"
echo
echo "Yours next: activate an environment, then: $envsnap capture"
