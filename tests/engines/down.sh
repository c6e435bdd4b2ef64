#!/usr/bin/env bash
# Stops the daemons that up.sh started and unmounts what they left. --purge also removes the state folder and every image in it:
# it refuses while there are containers, or images that up.sh did not make, because somebody else may be using them (--purge --force does not ask).
set -euo pipefail

state=${ENVSNAP_ENGINES:-/var/tmp/envsnap-engines}

stop() { # stop PIDFILE PROGRAM: only a process that is still that program
    local pid
    pid=$(cat "$1" 2>/dev/null || true)
    rm -f "$1"
    [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${2:0:15}" ] || return 0
    kill "$pid"
    for _ in $(seq 30); do
        kill -0 "$pid" 2>/dev/null || { echo "stopped $2 ($pid)"; return 0; }
        sleep 1
    done
    kill -9 "$pid"
    echo "killed $2 ($pid): it did not stop within 30 s"
}

others_work() { # containers, and images other than the stand-ins; before anything is stopped, since a stopped daemon cannot tell
    local host
    host=$(cat "$state/docker-host" 2>/dev/null) || return 0
    docker -H "$host" info >/dev/null 2>&1 || { echo "(dockerd does not answer on $host: what it holds cannot be seen)"; return 0; }
    docker -H "$host" ps -a --format 'container {{.Names}} ({{.Image}})'
    docker -H "$host" image ls --format '{{.Repository}}:{{.Tag}}' |
        grep -vE '^(127\.0\.0\.1:5000/library/)?(python:[0-9.]+-slim-bookworm|python:<none>|debian:bookworm-slim)$' | sed 's/^/image /' || true
}

[ "$(id -u)" = 0 ] || { echo "down.sh: needs root" >&2; exit 1; }
if [ "${1:-}" = --purge ] && [ "${2:-}" != --force ]; then
    found=$(others_work)
    if [ -n "$found" ]; then
        printf 'down.sh: nothing was stopped or removed, this would be lost:\n%s\n' "$found" >&2
        exit 1
    fi
fi
stop "$state/docker.pid" dockerd
stop "$state/registry.pid" docker-registry
awk -v below="$state/" 'index($2, below) == 1 {print $2}' /proc/self/mounts | sort -r | while read -r folder; do umount -l "$folder"; done
if [ "${1:-}" = --purge ] && [ -e "$state/lock" ]; then
    # Aside first: a removal that is cut short must not look like engines that are up.
    mv -T "$state" "$state.removed-$$"
    rm -rf --one-file-system "$state".removed-*
    echo "removed $state"
fi
