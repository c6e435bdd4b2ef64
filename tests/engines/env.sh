#!/usr/bin/env bash
# What a test run needs to find the engines:   eval "$(tests/engines/env.sh)"   in any shell, or   . tests/engines/env.sh   in bash.
_engines=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
_state=${ENVSNAP_ENGINES:-/var/tmp/envsnap-engines}
_path=$PATH
case ":$PATH:" in *":$_engines:"*) ;; *) _path=$_engines:$PATH ;; esac
_lines=$(
    printf 'export %s=%q\n' \
        ENVSNAP_TEST_ENGINES 1 \
        ENVSNAP_ENGINES "$_state" \
        PATH "$_path" \
        CONTAINERS_CONF "$_state/containers/containers.conf" \
        CONTAINERS_REGISTRIES_CONF "$_state/containers/registries.conf" \
        CONTAINERS_STORAGE_CONF "$_state/containers/storage.conf" \
        ENVSNAP_TEST_IMAGE "$(head -n 1 "$_state/images" 2>/dev/null)" \
        DOCKER_HOST "$(cat "$_state/docker-host" 2>/dev/null || echo unix:///var/run/docker.sock)"
)
if [ "${BASH_SOURCE[0]}" = "$0" ]; then printf '%s\n' "$_lines"; else eval "$_lines"; fi
unset _engines _state _path _lines
