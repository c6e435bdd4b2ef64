#!/usr/bin/env bash
# Brings up the container engines that the tests under tests/engines run against: see README.md beside this file.
# Idempotent: each step asks whether its result is there and answers, and works only if it does not.
set -euo pipefail

state=${ENVSNAP_ENGINES:-/var/tmp/envsnap-engines}
pythons=${ENVSNAP_ENGINES_PYTHONS:-3.11.7 3.8.18 3.13.0}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
registry=127.0.0.1:5000
bookworm=$state/bookworm
trixie=$state/trixie
log=$state/log

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }
die() { printf '[%4d s] up.sh: %s\n' "$SECONDS" "$*" >&2; exit 1; }

# A step's output goes to a file; the file is shown only when the step fails.
# In a shell of its own and outside any condition, because bash forgets `set -e` in what stands before `||`.
quietly() {
    local name=$1 status
    shift
    set +e
    (set -e && "$@") >"$log/$name" 2>&1 </dev/null
    status=$?
    set -e
    [ "$status" = 0 ] || { tail -n 25 "$log/$name" >&2; die "$name failed, whole log in $log/$name"; }
}

wait_for() { # wait_for SECONDS WHAT COMMAND...
    local left=$1 what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((left-- > 0)) || die "$what did not answer; its log is in $log"
        sleep 1
    done
}

# --- Debian packages of this machine ----------------------------------------------------------------------------------

update_lists() { apt-get -q update || { sleep 3; apt-get -q update; }; }

# RUNLEVEL=1 keeps the packages' own start scripts from starting a second daemon.
install_packages() {
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
}

packages_here() {
    local wanted=() pair
    for pair in dockerd:docker.io docker-registry:docker-registry debootstrap:debootstrap iptables:iptables curl:curl \
        setpriv:util-linux update-ca-certificates:ca-certificates podman:podman buildah:buildah \
        fuse-overlayfs:fuse-overlayfs newuidmap:uidmap slirp4netns:slirp4netns; do
        command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
    done
    # What bench/environments/system.txt needs of the system, and what builds its source.
    for pair in pg_config:libpq-dev cc:gcc; do
        command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
    done
    for pair in libGL.so.1:libgl1 libgthread-2.0.so.0:libglib2.0-0 libmpi.so.40:libopenmpi3; do
        ldconfig -p | grep -qF "${pair%%:*}" || wanted+=("${pair##*:}")
    done
    [ ${#wanted[@]} -gt 0 ] || return 0
    say "apt: ${wanted[*]}"
    quietly apt-update update_lists
    quietly apt-install install_packages "${wanted[@]}"
}

# The machine's own source of Debian packages: no address is written in this file.
debian_source() {
    local found
    # shellcheck disable=SC2016  # apt expands it
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null | head -n 1)
    [ -n "$found" ] || die "apt knows no source for Debian bookworm: run apt-get update, or this is not Debian 12"
    printf '%s\n' "${found%/}"
}

# Packages that Debian 12 lacks, downloaded with a private apt state, so that this machine's apt never sees their suites.
newer_packages() {
    local apt=$state/apt
    [ -z "$(compgen -G "$apt/docker-buildx_*.deb")" ] || [ -z "$(compgen -G "$apt/apptainer_*.deb")" ] || return 0
    say "apt: docker-buildx (trixie) and apptainer (sid), downloaded only"
    rm -rf "$apt"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    printf 'Types: deb\nURIs: %s\nSuites: trixie sid\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
        "$(debian_source)" >"$apt/newer.sources"
    quietly apt-newer download_newer "$apt"
    rm -rf "$apt/lists" "$apt/cache"
}

download_newer() {
    local options=(-q -o "Dir::Etc::SourceList=$1/newer.sources" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$1/lists"
        -o "Dir::Cache=$1/cache" -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update || { sleep 3; apt-get "${options[@]}" update; }
    cd "$1"
    apt-get "${options[@]}" download docker-buildx/trixie apptainer/sid
}

# --- root folders -----------------------------------------------------------------------------------------------------

# bootstrap SUITE FOLDER EXTRA: a folder is moved into place only when it is whole.
bootstrap() {
    [ ! -e "$2/etc/debian_version" ] || return 0
    say "debootstrap $1"
    rm -rf "$2.part"
    quietly "debootstrap-$1" debootstrap --variant=minbase --include="$3" "$1" "$2.part" "$(debian_source)"
    trust_this_machine "$2.part"
    rm -rf "$2.part"/var/cache/apt/archives/*.deb
    mv "$2.part" "$2"
}

# What a site does to its images: its certificate authorities, and its apt settings about dates.
trust_this_machine() {
    local root=$1
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
    quietly ca chroot "$root" update-ca-certificates
    apt-config dump | grep -E '^Acquire::Check-(Valid-Until|Date) ' >"$root/etc/apt/apt.conf.d/99-site" || true
    printf 'force-unsafe-io\n' >"$root/etc/dpkg/dpkg.cfg.d/site"
}

# --- Docker -----------------------------------------------------------------------------------------------------------

buildx_here() {
    docker buildx version >/dev/null 2>&1 && return 0
    say "docker-buildx"
    rm -rf "$state/buildx"
    dpkg -x "$(compgen -G "$state/apt/docker-buildx_*.deb" | tail -n 1)" "$state/buildx"
    install -D "$state/buildx/usr/libexec/docker/cli-plugins/docker-buildx" /usr/libexec/docker/cli-plugins/docker-buildx
    rm -rf "$state/buildx"
    quietly buildx docker buildx version
}

registry_answers() { curl -fsS -m 2 "http://$registry/v2/"; }

registry_up() {
    registry_answers >/dev/null 2>&1 && return 0
    say "registry at $registry"
    mkdir -p "$state/registry"
    cat >"$state/registry/config.yml" <<YML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $state/registry/data}, delete: {enabled: true}}
http: {addr: $registry}
YML
    setsid docker-registry serve "$state/registry/config.yml" >"$log/registry" 2>&1 </dev/null 9>&- &
    echo $! >"$state/registry.pid"
    wait_for 20 "the registry" registry_answers
}

# The usual socket where it is free; a machine whose own Docker answers there keeps it, and ours gets another.
choose_socket() {
    local file=$state/docker-host usual=unix:///var/run/docker.sock
    if [ -s "$file" ] && DOCKER_HOST=$(<"$file") ours_answers; then :
    elif DOCKER_HOST=$usual docker info >/dev/null 2>&1 && ! DOCKER_HOST=$usual ours_answers; then
        echo "unix://$state/docker.sock" >"$file"
    else
        echo "$usual" >"$file"
    fi
    DOCKER_HOST=$(<"$file")
    export DOCKER_HOST
}

ours_answers() { [ "$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)" = "$state/docker" ]; }

docker_up() {
    choose_socket
    ours_answers && return 0
    # One that ended in peace took its pid file along; what one that was killed kept may name layers that are not there.
    if [ "$(cat "/proc/$(cat "$state/docker.pid" 2>/dev/null)/comm" 2>/dev/null)" = dockerd ]; then
        wait_for 60 "dockerd, which runs," ours_answers && return 0
    elif [ -e "$state/docker.pid" ]; then
        say "dockerd was killed when it last ran here: what it kept is removed, its images are in the registry"
        quietly down "$here/down.sh"
        rm -rf --one-file-system "$state/docker"
    fi
    say "dockerd on $DOCKER_HOST, mirror http://$registry"
    # Without a limit one run of the tests leaves tens of gigabytes.
    printf '{"builder": {"gc": {"enabled": true, "defaultKeepStorage": "%s"}}}\n' "${ENVSNAP_ENGINES_CACHE:-5GB}" >"$state/daemon.json"
    setsid dockerd --config-file "$state/daemon.json" --host "$DOCKER_HOST" --data-root "$state/docker" --exec-root "$state/docker-run" --pidfile "$state/docker.pid" \
        --registry-mirror "http://$registry" >"$log/dockerd" 2>&1 </dev/null 9>&- &
    wait_for 60 dockerd ours_answers
}
# --- stand-in images --------------------------------------------------------------------------------------------------

manifest_media='application/vnd.docker.distribution.manifest.v2+json'

digest_of() { # digest_of REPOSITORY TAG: what the registry says, nothing if it has no such tag
    curl -fsSI -m 5 -H "Accept: $manifest_media" "http://$registry/v2/$1/manifests/$2" 2>/dev/null |
        tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p'
}

debian_image() {
    [ -z "$(digest_of library/debian bookworm-slim)" ] || return 0
    bootstrap bookworm "$bookworm" ca-certificates
    cp /etc/apt/sources.list "$bookworm/etc/apt/" 2>/dev/null || : >"$bookworm/etc/apt/sources.list"
    cp /etc/apt/sources.list.d/debian.sources "$bookworm/etc/apt/sources.list.d/" 2>/dev/null || true
    say "image debian:bookworm-slim"
    quietly import import_debian
}

import_debian() {
    tar -C "$bookworm" --numeric-owner --exclude='./dev/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/cache/apt/*' \
        --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' -c . | docker import --change 'CMD ["bash"]' - "$registry/library/debian:bookworm-slim"
    docker push "$registry/library/debian:bookworm-slim"
    docker pull debian:bookworm-slim
}

# Prints the folder of a relocatable CPython of exactly that version, or nothing.
find_python() {
    local folder=${PYENV_ROOT:-$HOME/.pyenv}/versions/$1 found
    if [ ! -x "$folder/bin/python3" ] && command -v uv >/dev/null; then
        timeout 60 uv python install "$1" >"$log/uv-python" 2>&1 || true
        found=$(uv python find --python-preference only-managed "$1" 2>/dev/null || true)
        folder=$(dirname "$(dirname "$(readlink -f "${found:-/nowhere/bin/python}")")")
    fi
    [ ! -x "$folder/bin/python3" ] || printf '%s\n' "$folder"
}

python_image() { # python_image VERSION: leaves the reference in $image
    local version=$1 folder='' context=$state/context name=library/python
    if [ -z "$(digest_of "$name" "$version-slim-bookworm")" ]; then
        folder=$(find_python "$version")
        if [ -z "$folder" ]; then
            version=$(debian_python)
            say "no relocatable CPython $1 here (neither pyenv nor uv has it): Debian's Python $version stands in"
        fi
    fi
    image=python:$version-slim-bookworm
    if [ -z "$(digest_of "$name" "$version-slim-bookworm")" ]; then
        say "image $image from ${folder:-Debian packages}"
        rm -rf "$context"
        mkdir -p "$context/local"
        [ -z "$folder" ] || quietly copy-python copy_python "$folder" "$context/local"
        python_dockerfile "$folder" "$version" >"$context/Dockerfile"
        quietly python-image docker buildx build --network host --provenance=false -t "$registry/library/$image" "$context"
        quietly push-python docker push "$registry/library/$image"
        rm -rf "$context"
    fi
    image+=@$(digest_of "$name" "$version-slim-bookworm")
    docker image inspect "python@${image#*@}" >/dev/null 2>&1 || quietly pull-python docker pull "${image%@*}"
}

debian_python() { # such as 3.11.2, from the packages that the stand-in image would install
    local version
    version=$(chroot "$bookworm" sh -c 'apt-get -q update >&2; apt-cache show python3' 2>"$log/debian-python" | sed -n 's/^Version: \([0-9.]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] || die "no Python at all: not in pyenv, not from uv, not in Debian's packages"
    printf '%s\n' "$version"
}

# The interpreter with pip and setuptools alone; scripts name the interpreter where the image has it.
copy_python() {
    local minor site
    minor=$("$1/bin/python3" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    site=lib/python$minor/site-packages
    tar -C "$1" --exclude=__pycache__ --exclude='*.a' --exclude="./lib/python$minor/test" --exclude="./$site/*" --exclude='./bin/*' \
        -c ./bin ./lib ./include | tar -C "$2" -x
    (cd "$1/$site" && for name in pip pip-*.dist-info setuptools setuptools-*.dist-info pkg_resources _distutils_hack distutils-precedence.pth; do
        [ ! -e "$name" ] || printf '%s\0' "$name"
    done) | tar -C "$1/$site" --exclude=__pycache__ --null --files-from=- -c | tar -C "$2/$site" -x
    cp -a "$1/bin/python$minor" "$2/bin/"
    ln -s "python$minor" "$2/bin/python3"
    ln -s "python$minor" "$2/bin/python"
    for name in pip pip3 "pip$minor"; do
        printf '#!/usr/local/bin/python\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n' >"$2/bin/$name"
        chmod 755 "$2/bin/$name"
    done
}

python_dockerfile() { # python_dockerfile FOLDER-OR-NOTHING VERSION
    local bundle=/etc/ssl/certs/ca-certificates.crt packages
    packages='netbase tzdata libssl3 libffi8 libsqlite3-0 libbz2-1.0 liblzma5 libreadline8 libncursesw6 libuuid1 libexpat1 zlib1g'
    [ -n "$1" ] || packages='netbase tzdata python3 python3-venv python3-pip'
    cat <<DOCKERFILE
FROM debian:bookworm-slim
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
ENV SSL_CERT_FILE=$bundle REQUESTS_CA_BUNDLE=$bundle PIP_CERT=$bundle
RUN apt-get update && apt-get install -y --no-install-recommends $packages && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
ENV PYTHON_VERSION=$2
COPY local /usr/local
DOCKERFILE
    if [ -n "$1" ]; then
        echo 'RUN ldconfig && python -c "import ctypes, ssl, sqlite3, bz2, lzma, readline, zlib, venv, ensurepip" && pip --version'
    else
        echo 'RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && ln -s /usr/bin/python3 /usr/local/bin/python && pip --version'
    fi
    echo 'CMD ["python3"]'
}

# --- Apptainer, repo2docker -------------------------------------------------------------------------------------------

apptainer_here() {
    [ -e /dev/fuse ] && chmod 666 /dev/fuse
    "$here/apptainer" --version >/dev/null 2>&1 && return 0
    bootstrap trixie "$trixie" ca-certificates,squashfuse,fuse3,uidmap,fuse2fs,gocryptfs
    say "apptainer in $trixie"
    cp "$state"/apt/apptainer_*.deb "$trixie/root/"
    cp -L /etc/resolv.conf "$trixie/etc/resolv.conf"
    quietly apptainer-install chroot "$trixie" sh -c 'export DEBIAN_FRONTEND=noninteractive
        apt-get -q update && apt-get -q install -y --no-install-recommends /root/apptainer_*.deb && rm -f /root/apptainer_*.deb &&
        { id hpc >/dev/null 2>&1 || useradd -m -s /bin/bash -u 1000 hpc; } && install -d -o hpc -g hpc /home/hpc/tmp && apt-get clean && mkdir -p /oldroot && chmod 755 /root'
    mkdir -p "$trixie/etc/containers"
    registries_conf >"$trixie/etc/containers/registries.conf"
    quietly apptainer "$here/apptainer" --version
}

# Slurm and Environment Modules, as a cluster has them, in the root folder that has Apptainer; tests/engines/slurm starts them.
slurm_here() {
    [ ! -x "$trixie/usr/sbin/slurmd" ] || return 0
    say "slurm in $trixie"
    cp -L /etc/resolv.conf "$trixie/etc/resolv.conf"
    printf '#!/bin/sh\nexit 101\n' >"$trixie/usr/sbin/policy-rc.d"
    chmod 755 "$trixie/usr/sbin/policy-rc.d"
    quietly slurm-install chroot "$trixie" sh -c 'export DEBIAN_FRONTEND=noninteractive
        apt-get -q update && apt-get -q install -y --no-install-recommends slurmctld slurmd munge environment-modules iproute2 libffi8 systemd-standalone-sysusers && apt-get clean'
    quietly slurm "$here/slurm" -- sinfo
}

# Files that name Docker Hub are answered by the loopback registry, over http, unmodified.
registries_conf() {
    cat <<TOML
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
mirror = [{location = "$registry", insecure = true}]
TOML
}

# --- Podman and Buildah -----------------------------------------------------------------------------------------------

# Their settings come by environment variables (env.sh), so that the machine's own /etc/containers stays as it was.
podman_here() {
    local folder=$state/containers user=$state/hpc
    id hpc >/dev/null 2>&1 || { say "user hpc"; quietly useradd useradd --create-home --home-dir "$user" --shell /bin/bash hpc; }
    grep -q '^hpc:' /etc/subuid || quietly subuid usermod --add-subuids 1000000-1065535 --add-subgids 1000000-1065535 hpc
    install -d -o hpc -g hpc "$(getent passwd hpc | cut -d: -f6)"
    [ ! -s "$folder/ready" ] || return 0
    say "podman and buildah, as root and rootless as hpc"
    mkdir -p "$folder"
    registries_conf >"$folder/registries.conf"
    # The limits are those that a machine without CAP_SYS_RESOURCE can set.
    printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' \
        >"$folder/containers.conf"
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$folder/storage" "$folder/run" >"$folder/storage.conf"
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n[storage.options.overlay]\nmount_program = "/usr/bin/fuse-overlayfs"\n' \
        "$user/.local/share/containers/storage" "$user/run/containers" >"$folder/rootless.conf"
    chmod 755 "$state" "$folder"
    quietly podman podman_env podman info
    quietly buildah podman_env buildah info
    quietly podman-rootless "$here/rootless/podman" info
    quietly buildah-rootless "$here/rootless/buildah" info
    echo yes >"$folder/ready"
}

podman_env() {
    CONTAINERS_CONF=$state/containers/containers.conf CONTAINERS_REGISTRIES_CONF=$state/containers/registries.conf \
        CONTAINERS_STORAGE_CONF=$state/containers/storage.conf "$@"
}

repo2docker_here() {
    local python folder
    "$state/repo2docker/bin/repo2docker" --version >/dev/null 2>&1 && return 0
    folder=$(find_python "${pythons%% *}")
    python=${folder:+$folder/bin/python3}
    if [ -z "$python" ]; then
        python=/usr/bin/python3
        "$python" -c 'import ensurepip' 2>/dev/null || quietly apt-venv install_packages python3-venv
    fi
    say "repo2docker"
    rm -rf "$state/repo2docker"
    quietly repo2docker-venv "$python" -m venv "$state/repo2docker"
    quietly repo2docker-pip "$state/repo2docker/bin/pip" install -q jupyter-repo2docker
}

main() {
    [ "$(id -u)" = 0 ] || die "needs root: it installs packages, starts daemons and mounts"
    command -v apt-get >/dev/null || die "needs Debian 12 (apt-get not found)"
    mkdir -p "$log"
    exec 9>"$state/lock"
    flock -w 400 9 || die "another up.sh has been running for long: $state/lock"
    packages_here
    newer_packages
    buildx_here
    docker_up
    registry_up
    debian_image
    local version image images=()
    for version in $pythons; do
        python_image "$version"
        images+=("$image")
    done
    printf '%s\n' "${images[@]}" >"$state/images"
    podman_here
    apptainer_here
    slurm_here
    repo2docker_here
    say "images: ${images[*]}"
    say "docker $(docker info --format '{{.ServerVersion}}'), $("$here/apptainer" --version), repo2docker $("$here/repo2docker" --version)"
    say "$(podman --version), $(buildah --version)"
    say "up. Next: eval \"\$($here/env.sh)\""
}

main "$@"
