#!/bin/sh
# Makes the environment of an image, step by step:  sh install.sh STEP [ARG]
#
#   system [STAGE]    packages of the distribution, of system.txt; or of system-STAGE.txt, for the
#                     stage `builder`, which builds sources, or `python`, which compiles Python
#   python            the interpreter's archive, of python.txt, into /opt/python: unpacked or compiled
#   tools             the programs that unpack packages, of tools.lock; they do not stay
#   conda             the archives of conda/conda.json, unpacked into the environment and compared
#   environment       the virtual environment, empty, without pip; none where conda has made one
#   layer NAME        the wheels of layers/pylock.NAME.toml (or NAME.lock), each file of them compared
#   sources           wheels of the archives in requirements-source.lock
#   built             what `sources` built, installed
#   project           the project's own code, of project.tar, into /opt/project
#   finish            user, command envsnap-verify, nothing left over; the environment compared
#   all               every step above, as far as its data is there
#
# Every image of the same envsnap has this same script: what is to be done lies in the files beside
# it, and a step whose file is missing has nothing to do. So a builder's cache keeps a step until
# its own data changes. A Dockerfile calls the steps one by one and shows each its own files alone;
# a definition file copies the folder and calls `all`; a repo2docker folder calls `tools`, each
# `layer`, `sources` and `built` with ENVSNAP_PREFIX set to the environment that is there already.
#
# The data can lie elsewhere: ENVSNAP_DATA names its folder, that of this script by default.
# ca.crt among it is trusted by the steps and not by the image. Passwords are in the files that
# NETRC and PIP_CONFIG_FILE name, which the builder mounts. With wheels/ full, no step asks a network.
set -eu
umask 022
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
data=${ENVSNAP_DATA:-$here}
prefix=${ENVSNAP_PREFIX:-/opt/env}
home=${ENVSNAP_HOME:-/opt/envsnap}
tools=$here/tools
built=${ENVSNAP_BUILT:-/opt/envsnap-built}
cache=$prefix/.envsnap-cache
work=
source=

export LC_ALL=C.UTF-8 PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 DEBIAN_FRONTEND=noninteractive
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
export PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_PROGRESS_BAR=off
export UV_NO_PROGRESS=1 UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_PREVIEW_FEATURES=pylock

die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# Names the step in the builder's output, whose own line shows the whole command.
say() { printf 'envsnap: %s\n' "$*"; }

# What a step leaves behind is neither a cache nor a trusted certificate.
tidy() { rm -rf "$cache" ${work:+"$work"} ${source:+"$source"}; }
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A folder of this step alone.
need_work() {
    [ -n "$work" ] || work=$(mktemp -d "${TMPDIR:-/tmp}/envsnap.XXXXXX")
}

# ca.crt, and what the image trusts already, for every program of this step.
trust() {
    [ -s "$data/ca.crt" ] || return 0
    need_work
    for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
        /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
        if [ -n "$bundle" ] && [ -s "$bundle" ]; then
            cat "$bundle" >"$work/ca.pem"
            break
        fi
    done
    # A base image without any: Python's own pip brings the public ones.
    if [ ! -s "$work/ca.pem" ] && [ -n "$(command -v python3)" ]; then
        python3 -c 'import sys; from pip._vendor import certifi; sys.stdout.write(open(certifi.where()).read())' \
            >"$work/ca.pem" 2>/dev/null || :
    fi
    { echo; cat "$data/ca.crt"; } >>"$work/ca.pem"
    export SSL_CERT_FILE="$work/ca.pem" REQUESTS_CA_BUNDLE="$work/ca.pem" PIP_CERT="$work/ca.pem"
    export CURL_CA_BUNDLE="$work/ca.pem" GIT_SSL_CAINFO="$work/ca.pem"
    printf 'Acquire::https::CAInfo "%s";\n' "$work/ca.pem" >>"$work/apt.conf"
    export APT_CONFIG="$work/apt.conf"
}

# The passwords in pip's settings, for uv, which does not read these: in a netrc file of this step.
passwords() {
    [ -f "$data/passwords.py" ] && [ -s "${PIP_CONFIG_FILE:-}" ] || return 0
    need_work
    speaker=$prefix/bin/python
    [ -x "$speaker" ] || speaker=$(maker)
    umask 077
    { cat "${NETRC:-/dev/null}"; echo; } >"$work/netrc"
    "$speaker" -I "$data/passwords.py" "$PIP_CONFIG_FILE" >>"$work/netrc"
    umask 022
    export NETRC="$work/netrc"
}

# The value of a line `KEY VALUE` in a file.
value_of() {
    [ -f "$2" ] || return 0
    while read -r key value; do
        if [ "$key" = "$1" ]; then printf '%s\n' "$value"; fi
    done <"$2"
}

# The interpreter that the environment is made of.
interpreter() {
    found=$(value_of executable "$data/python.txt")
    if [ -z "$found" ]; then found=$(command -v python3) || die 'there is no python3'; fi
    printf '%s\n' "$found"
}

same_bytes() {
    echo "$1  $2" | sha256sum -c - >/dev/null 2>&1 || die "${2##*/} has other bytes than it should"
}

system() {
    list=$data/system${1:+-$1}.txt
    [ -s "$list" ] || return 0
    # `package NAME` each, and perhaps `snapshot 20260101T000000Z`.
    packages=$(value_of package "$list")
    [ -n "$packages" ] || return 0
    say 'installing packages of the distribution'
    debs=$data/debs${1:+-$1}
    if [ ! -d "$debs" ]; then
        lists "$list"
        # shellcheck disable=SC2086  # one word each: the plan holds names to their form
        apt-get -q install -y --no-install-recommends $packages
    else
        need_work
        one_user
        # By their files, in the order that they need.
        apt-get -q install -y --no-install-recommends "$debs"/*.deb
    fi
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb \
        /var/log/apt /var/log/*.log /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old \
        /var/lib/dpkg/*-old
}

# Without subordinate ids a container knows one user, and apt cannot become another to fetch.
one_user() {
    read -r _ _ count </proc/self/uid_map || count=
    [ "$count" = 1 ] || return 0
    echo 'APT::Sandbox::User "root";' >>"$work/apt.conf"
    export APT_CONFIG="$work/apt.conf"
}

# Brings apt's lists, as they were on the date that a list of packages names, if it names one.
lists() {
    command -v apt-get >/dev/null || die 'this base image has no apt-get to install packages with'
    need_work
    one_user
    trust
    # NVIDIA's own lists have no snapshot, their keys change, and nothing is taken from them.
    rm -f /etc/apt/sources.list.d/cuda*.list /etc/apt/sources.list.d/nvidia-ml*.list
    snapshot=$(value_of snapshot "$1")
    if [ -n "$snapshot" ]; then
        ID=
        # shellcheck disable=SC1091
        . /etc/os-release
        case $ID in
            ubuntu) printf 'APT::Snapshot "%s";\n' "$snapshot" >>"$work/apt.conf" ;;
            debian) debian_of "$snapshot" ;;
            *) die "there is no snapshot archive of $ID" ;;
        esac
        export APT_CONFIG="$work/apt.conf"
    fi
    apt-get -q update
}

# Debian's sources with their archive's history in the place of its mirror: `deb.HOST/debian` is
# `snapshot.HOST/archive/debian/DATE` there. By http: the lists are signed, and a slim image may
# trust no certificate yet. Their signatures have lapsed since.
debian_of() {
    mkdir "$work/parts"
    for each in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ -f "$each" ] || continue
        sed -E "s,https?://deb\\.([^/ ]+)/(debian[a-z-]*)/?,http://snapshot.\\1/archive/\\2/$1,g" "$each" \
            >"$work/parts/${each##*/}"
    done
    grep -qs "/archive/debian/$1" "$work"/parts/* ||
        die 'the sources of this image name a mirror, which has no history; leave out the snapshot'
    {
        printf 'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "%s";\n' "$work/parts"
        echo 'Acquire::Check-Valid-Until "false";'
    } >>"$work/apt.conf"
}

python() {
    [ -f "$data/python.txt" ] || return 0
    filename=$(value_of filename "$data/python.txt")
    [ -n "$filename" ] || return 0
    say 'unpacking Python'
    need_work
    archive=$data/wheels/$filename
    if [ ! -f "$archive" ]; then
        trust
        archive=$work/$filename
        fetch "$(value_of url "$data/python.txt")" "$archive"
    fi
    same_bytes "$(value_of sha256 "$data/python.txt")" "$archive"
    if [ "$(value_of compiled "$data/python.txt")" = yes ]; then
        compile "$archive"
        return 0
    fi
    mkdir -p /opt/python
    tar -xf "$archive" -C /opt/python --strip-components=1 --no-same-owner
}

# In a folder of a fixed name and with the date of its release: the same source gives the same
# bytes. Optimizing by a profile and at link time takes many times longer, and changes no result.
compile() {
    say 'compiling Python, which takes minutes'
    mkdir /opt/python.src
    source=/opt/python.src
    tar -xf "$1" -C "$source" --strip-components=1 --no-same-owner
    set -- --prefix=/opt/python --enable-loadable-sqlite-extensions --with-ensurepip=no
    case $(interpreter) in *t) set -- "$@" --disable-gil ;; esac
    # Before 3.7.4 its memory is less aligned than its code says, which newer compilers rely on.
    if ! grep -q 'ALIGNMENT  *16' "$source/Objects/obmalloc.c"; then
        set -- "$@" CFLAGS=-fno-tree-slp-vectorize
    fi
    (
        cd "$source" && SOURCE_DATE_EPOCH=$(stat -c %Y Include/patchlevel.h) &&
            export SOURCE_DATE_EPOCH && ./configure "$@" && make -j "$(nproc)" && make install
    ) >"$work/compile.log" 2>&1 || {
        tail -n 40 "$work/compile.log" >&2
        die 'Python could not be compiled: the lines above are the last of it'
    }
    # Its tests, its archive for linking, bytecode; and NIS, whose library the image lacks.
    find /opt/python -depth \( -type d \( -name test -o -name tests -o -name idle_test \
        -o -name __pycache__ \) -o -type f \( -name 'libpython*.a' -o -name 'nis.*.so' \) \) \
        -exec rm -rf {} +
    find /opt/python -type f \( -name '*.so' -o -path '*/bin/python3.*[0-9t]' \) -exec strip {} +
    whole_python
}

# What a Python is compiled without where a library or its headers are missing, or too new for it.
whole_python() {
    "$(interpreter)" -I -B -c 'import importlib, sys
lost = []
for name in "ssl sqlite3 zlib bz2 lzma ctypes readline curses hashlib".split():
    try:
        importlib.import_module(name)
    except ImportError as error:
        lost.append("%s (%s)" % (name, error))
if lost:
    sys.exit("install.sh: this Python was compiled without " + ", ".join(lost))' ||
        die 'the Python that was compiled is not whole'
}

fetch() {
    if command -v python3 >/dev/null; then
        python3 -c 'import shutil, sys, urllib.request as u
with u.urlopen(sys.argv[1], timeout=120) as found, open(sys.argv[2], "wb") as file:
    shutil.copyfileobj(found, file)' "$1" "$2"
    elif command -v curl >/dev/null; then
        curl -fsSL --retry 3 -o "$2" "$1"
    elif command -v wget >/dev/null; then
        wget -q -O "$2" "$1"
    else
        die 'this base image has neither python3, curl nor wget to fetch the interpreter with'
    fi
}

tools() {
    [ -f "$data/tools.lock" ] || return 0
    say 'fetching what installs the packages'
    trust
    set -- --no-deps --require-hashes --only-binary :all: --target "$tools"
    # The environment may have a pip of its own among the wheels, and that is another.
    pip=$(sed -n 's/^pip==\([0-9.]*\).*/\1/p' "$data/tools.lock")
    for each in "$data"/wheels/uv-*.whl "$data/wheels/pip-$pip"-*.whl "$data"/wheels/py_rattler-*.whl; do
        if [ -f "$each" ]; then set -- "$@" --no-index --find-links "$data/wheels"; break; fi
    done
    need_work
    found=$(maker)
    PYTHONPATH=$(pip_of "$found") "$found" -m pip install -q "$@" -r "$data/tools.lock"
}

# The folder that has pip for an interpreter. A compiled one has it packed in its library alone.
pip_of() {
    if [ -d "$tools/pip" ]; then
        printf '%s\n' "$tools"
        return 0
    fi
    "$1" -c 'import os, pip; print(os.path.dirname(os.path.dirname(pip.__file__)))' 2>/dev/null ||
        "$1" -I -B -c 'import ensurepip, glob, os, sys, zipfile
found = glob.glob(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl"))
if not found:
    sys.exit("install.sh: this Python has no pip")
zipfile.ZipFile(found[0]).extractall(sys.argv[1])
print(sys.argv[1])' "$work/pip"
}

# The Python that makes what is not there yet: where conda brings the interpreter, the base image's.
maker() {
    found=$(interpreter)
    if [ -z "$(command -v "$found")" ]; then
        found=$(command -v python3) || die 'conda packages are unpacked by Python 3.10 or newer, and there is no python3'
    fi
    printf '%s\n' "$found"
}

conda() {
    [ -f "$data/conda/conda.json" ] || return 0
    say "unpacking conda's packages"
    trust
    need_work
    passwords
    export NETRC="${NETRC:-${HOME:-/root}/.netrc}"
    # What travels is taken from its place, and what is fetched goes beside it.
    for each in "$data"/conda/*/*; do
        [ -f "$each" ] || continue
        subdir=${each%/*}
        mkdir -p "$work/conda/${subdir##*/}"
        ln -s "$each" "$work/conda/${subdir##*/}/"
    done
    PYTHONPATH="$tools" "$(maker)" "$data/conda/conda.py" "$data/conda/conda.json" "$prefix" "$work/conda"
    "$prefix/bin/python" -I -B "$here/verify.py" --others-ok "$data/conda/manifest.json"
}

environment() {
    if [ -d "$prefix/conda-meta" ]; then return 0; fi
    say 'making the environment'
    # What it was compiled with must be in this image, too.
    if [ "$(value_of compiled "$data/python.txt")" = yes ]; then whole_python; fi
    set -- --without-pip
    if [ "$(value_of system-site-packages "$data/python.txt")" = yes ]; then
        set -- "$@" --system-site-packages
    fi
    "$(interpreter)" -m venv "$@" "$prefix"
}

# Installs into the environment; the arguments are those of `install` of both programs.
install() {
    trust
    passwords
    if [ -x "$tools/bin/uv" ]; then
        # In the environment, so that files are linked and not copied. A cache that the builder keeps
        # was measured: what it saves is less than what the copies cost.
        export UV_CACHE_DIR="$cache" UV_LINK_MODE=hardlink
        if [ -d "$prefix/conda-meta" ]; then
            # What pip had put in the place of conda's is there already, by name and version.
            set -- --reinstall --break-system-packages "$@"
        fi
        need_work
        # Its locks lie there, and go with the step: an image has nothing of them.
        TMPDIR="$work" "$tools/bin/uv" pip install -q --python "$prefix/bin/python" \
            --no-deps --no-index --no-build "$@"
        rm -f "$prefix/.lock"
        return 0
    fi
    # That of tools.lock or the base image's own, run by the environment's Python, which has none.
    need_work
    PYTHONPATH=$(pip_of "$(interpreter)") "$prefix/bin/python" -m pip install \
        --no-deps --no-index --ignore-installed "$@"
}

layer() {
    say "installing layer $1"
    if [ -f "$data/layers/$1.txt" ]; then
        # Their versions are none that an installer knows.
        "$prefix/bin/python" -I -B "$data/unpack.py" "$data/layers/$1.txt" "$data/wheels"
    elif [ -f "$data/layers/pylock.$1.toml" ]; then
        install -r "$data/layers/pylock.$1.toml"
    else
        install --require-hashes --find-links "$data/layers/$1.html" -r "$data/layers/$1.lock"
    fi
    compare "$data/layers/$1.json"
}

# Hashes what a step has installed, which the last step of a large image does not do again.
compare() {
    if [ -f "$here/verify.py" ] && [ -f "$1" ]; then
        "$prefix/bin/python" -I -B "$here/verify.py" --others-ok "$1"
    fi
}

layers() {
    for each in "$data"/layers/*.json; do
        [ -f "$each" ] || continue
        each=${each##*/}
        layer "${each%.json}"
    done
}

# The index is asked for the tools that build them, which are not pinned.
sources() {
    [ -f "$data/requirements-source.lock" ] || return 0
    say 'building from source'
    trust
    passwords
    if [ ! -x "$tools/bin/uv" ]; then
        need_work
        PYTHONPATH=$(pip_of "$(interpreter)") "$(interpreter)" -m pip wheel --use-pep517 \
            --no-deps --require-hashes -w "$built" --find-links "$data/artifacts.html" \
            -r "$data/requirements-source.lock"
        return 0
    fi
    need_work
    # It knows no settings of pip's: an index that they name is the one for the tools, too.
    index=${PIP_INDEX_URL:-$("$(interpreter)" -m pip config get global.index-url 2>/dev/null || :)}
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
    "$(interpreter)" -m venv --without-pip "$work/venv"
    export UV_CACHE_DIR="$work/cache" TMPDIR="$work"
    "$tools/bin/uv" pip install --python "$work/venv/bin/python" --no-deps -r "$data/pylock.sources.toml"
    mkdir -p "$built"
    find "$work/cache" -path '*/sdists-*' -name '*.whl' -type f -exec cp {} "$built" \;
}

built() {
    [ -f "$data/requirements-source.lock" ] || return 0
    say 'installing what was built'
    need_work
    while read -r pin _; do
        case $pin in '#'*) ;; *) printf '%s\n' "$pin" ;; esac
    done <"$data/requirements-source.lock" >"$work/built.txt"
    install --find-links "$built" -r "$work/built.txt"
    compare "$data/sources.json"
}

# Compilers are for the step alone: what they brought goes again.
sources_and_away() {
    [ -f "$data/requirements-source.lock" ] || return 0
    need_work
    if [ -s "$data/system-builder.txt" ]; then
        dpkg-query -W -f '${binary:Package}\n' | sort >"$work/before"
        system builder
        dpkg-query -W -f '${binary:Package}\n' | sort >"$work/after"
    fi
    sources
    built
    rm -rf "$built"
    if [ -s "$data/system-builder.txt" ]; then
        # shellcheck disable=SC2046  # names of Debian packages
        set -- $(comm -13 "$work/before" "$work/after")
        if [ $# -gt 0 ]; then apt-get -q purge -y "$@"; fi
        rm -rf /var/log/apt /var/log/*.log /var/cache/apt/*.bin
    fi
}

project() {
    [ -f "$data/project.tar" ] || return 0
    say "unpacking the project's code"
    mkdir -p /opt/project
    tar -xf "$data/project.tar" -C /opt/project --no-same-owner
}

finish() {
    if [ ! -f "$home/manifest.json" ] && [ -f "$data/envsnap.lock.json" ]; then
        mkdir -p "$home"
        cp "$data/envsnap.lock.json" "$home/manifest.json"
        for each in "$here"/*.py "$data/left-out.txt"; do
            # Those of the steps are none of the verifier's, and no image keeps them.
            case $each in */unpack.py | */passwords.py) continue ;; esac
            if [ -f "$each" ]; then cp "$each" "$home/"; fi
        done
    fi
    chmod -R a+rX "$home"
    {
        echo '#!/bin/sh'
        echo '# Compares this environment with its manifest, from the files alone.'
        printf 'home=%s prefix=%s\n' "$home" "$prefix"
        # shellcheck disable=SC2016  # for the program that is written here
        printf '%s\n' 'if [ -f "$home/left-out.txt" ]; then' \
            '    while IFS= read -r name; do set -- "$@" --without "$name"; done <"$home/left-out.txt"' \
            'fi' 'exec "$prefix/bin/python" -I -B "$home/verify.py" "$@" "$home/manifest.json"'
    } >/usr/local/bin/envsnap-verify
    chmod 755 /usr/local/bin/envsnap-verify
    if ! grep -q '^envsnap:' /etc/passwd; then
        echo 'envsnap:x:10001:10001::/home/envsnap:/bin/sh' >>/etc/passwd
        echo 'envsnap:x:10001:' >>/etc/group
    fi
    mkdir -p /home/envsnap
    # Without subordinate ids a rootless Apptainer knows no other owner, and needs none.
    chown 10001:10001 /home/envsnap 2>/dev/null || :
    say 'comparing the environment with its manifest'
    /usr/local/bin/envsnap-verify "$@"
}

all() {
    system ''
    python
    tools
    conda
    environment
    layers
    sources_and_away
    rm -rf "$tools"
    project
    finish "$@"
}

[ $# -ge 1 ] || die 'name a step; its first lines name them all'
step=$1
shift
case $step in
    system) system "${1:-}" ;;
    layer) layer "${1:?a name}" ;;
    python | tools | conda | environment | layers | sources | built | project | finish | all) "$step" "$@" ;;
    *) die "there is no step $step" ;;
esac
