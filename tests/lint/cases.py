"""For each trap of a Dockerfile, or of both kinds: a text with it, what is said, one without."""

from __future__ import annotations

from typing import NamedTuple

PINNED = "FROM python:3.11.9-slim-bookworm@sha256:" + "ab" * 32
HEAD = "Bootstrap: docker\nFrom: docker.io/library/debian@sha256:" + "ab" * 32
CUDA_GONE = "nvidia/cuda:11.2.0-devel-ubuntu20.04 is not offered; 11.2.2-devel-ubuntu20.04 is there"
CUDA_SHORT = "nvidia/cuda:12.2-base-ubuntu22.04 is not offered; 12.2.2-base-ubuntu22.04 is there"
CUDNN_WRONG = (
    "nvidia/cuda:12.8.1-cudnn8-devel-ubuntu22.04 is not offered; "
    "12.8.1-cudnn-devel-ubuntu22.04 is how it is named"
)
CUDA_OLD = "nvidia/cuda:11.2.2-cudnn8-devel-ubuntu20.04 is no longer supported: it may be deleted"


class Case(NamedTuple):
    """One trap's two texts."""

    code: str
    bad: str
    said: tuple[tuple[int, str], ...]
    """Line and message of each problem of this code."""
    good: str
    name: str = "Dockerfile"


CASES = (
    Case(
        "BLD001",
        f"{PINNED}\nRUN python3 -m pip install \\\n  # why\n  torch -r requirements.txt",
        ((2, "pip installs -r requirements.txt torch without hashes"),),
        f"{PINNED}\nRUN pip install --require-hashes -r requirements.txt && pip install -U pip",
    ),
    Case(
        "BLD002",
        f"{PINNED}\nRUN pip3 install idna",
        ((2, "pip leaves its cache in the image"),),
        f"{PINNED}\nENV PIP_NO_CACHE_DIR=1\nRUN pip install idna\n",
    ),
    Case(
        "BLD003",
        f"{PINNED}\nRUN apt-get update && apt-get install -y curl",
        ((2, "apt-get installs recommended packages, too"),),
        f"{PINNED}\nRUN apt-get update && apt-get install -y --no-install-recommends curl",
    ),
    Case(
        "BLD004",
        f"{HEAD}\n%post\n  apt-get install --no-install-recommends curl",
        ((4, "apt-get install waits for an answer: there is no -y"),),
        f"{HEAD}\n%post\n  yes | apt-get install --no-install-recommends curl",
        "a.def",
    ),
    Case(
        "BLD005",
        f"{PINNED}\nRUN apt-get update\nRUN apt-get install -y --no-install-recommends curl",
        ((2, "apt-get update stands in a step of its own"),),
        f"{PINNED}\nRUN id\nRUN apt-get update; apt-get install -y --no-install-recommends curl",
    ),
    Case(
        "BLD006",
        f"{PINNED}\nRUN curl -fsSL https://x.example/i.sh | sh",
        ((2, "A failure of curl in this pipe is not seen"),),
        f'{PINNED}\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN curl https://x.example | sh',
    ),
    Case(
        "BLD007",
        f"{PINNED}\nRUN pip install 'x @ git+https://git.example/x@main'",
        ((2, "pip installs from a repository without naming the commit"),),
        f"{PINNED}\nRUN pip install git+https://git.example/x@{'a' * 40}#egg=x",
    ),
    Case(
        "BLD008",
        f"{PINNED}\nENV PIP_EXTRA_INDEX_URL=https://x.example\nRUN pip install a "
        "--extra-index-url https://y.example",
        ((2, "pip takes any package from either of two indexes"),
         (3, "pip takes any package from either of two indexes")),
        f"{PINNED}\nRUN pip install --require-hashes --extra-index-url https://y.example a",
    ),
    Case(
        "BLD009",
        f"{PINNED}\nRUN apt-get install -y -o A::b=c 'curl=7.88.1-10+deb12u8' git gc:i386=2.3-9",
        ((2, "curl=7.88.1-10+deb12u8 will be gone from the archive"),
         (2, "gc:i386=2.3-9 will be gone from the archive")),
        f"{PINNED}\nRUN sed -i s,deb.example,snapshot.example/archive/debian/20260101T0Z, "
        "/etc/apt/sources.list && apt-get install -y curl=7.88.1-10+deb12u8",
    ),
    Case(
        "BLD009",
        f"{HEAD}\n%post\n  apt-get install -y curl=7.88.1-10+deb12u8",
        ((4, "curl=7.88.1-10+deb12u8 will be gone from the archive"),),
        f"{HEAD}\n%post\n  apt-get update --snapshot 20260101T000000Z\n"
        "  apt-get install -y curl=7.88.1-10+deb12u8\n  apt-get install -y git=1:2.*",
        "a.def",
    ),
    Case(
        "BLD010",
        "ARG V=3.12\nARG B\nFROM python:${V}.1-slim-bookworm AS a\nFROM a\nFROM $B\nFROM scratch",
        ((3, "The base image python:3.12.1-slim-bookworm is named without its digest"),
         (5, "The base image is whatever $B is given as")),
        f"{PINNED} AS one\nFROM one\nFROM 0\nFROM scratch",
    ),
    Case(
        "BLD011",
        "FROM python:3.11-slim\nFROM python",
        ((1, "python:3.11-slim leaves its patch and its suite open"),
         (2, "python:latest leaves its patch and its suite open")),
        "FROM python:3.11.9-slim-bookworm",
    ),
    Case(
        "BLD012",
        "FROM nvidia/cuda:11.2.0-devel-ubuntu20.04\nFROM nvidia/cuda\n"
        "FROM nvidia/cuda:12.2-base-ubuntu22.04",
        ((1, CUDA_GONE),
         (2, "nvidia/cuda:latest is not offered"),
         (3, CUDA_SHORT)),
        "FROM nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04",
    ),
    Case(
        "BLD013",
        "Bootstrap: docker\nFrom: nvidia/cuda:12.8.1-cudnn8-devel-ubuntu22.04",
        ((2, CUDNN_WRONG),),
        "Bootstrap: docker\nFrom: nvidia/cuda:12.8.1-cudnn-devel-ubuntu22.04",
        "a.def",
    ),
    Case(
        "BLD014",
        "FROM nvidia/cuda:11.2.2-cudnn8-devel-ubuntu20.04",
        ((1, CUDA_OLD),),
        "FROM nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04",
    ),
    Case(
        "BLD015",
        "FROM ubuntu:latest\nFROM lab.example/a/debian",
        ((1, "ubuntu:latest names no release"), (2, "debian:latest names no release")),
        f"FROM ubuntu:24.04\nFROM ubuntu:latest@sha256:{'ab' * 32}",
    ),
    Case(
        "BLD016",
        "FROM nvidia/cuda:11.2.2-base-ubuntu18.04\nFROM centos:7\nFROM python:3.6.9-slim-stretch",
        ((1, "ubuntu18.04 in nvidia/cuda:11.2.2-base-ubuntu18.04 has had no support since 2023"),
         (2, "centos7 in centos:7 has had no support since 2024"),
         (3, "stretch in python:3.6.9-slim-stretch has had no support since 2022")),
        f"FROM debian:12\nFROM ubuntu:22.04\nFROM ubuntu:18.04@sha256:{'ab' * 32}",
    ),
    Case(
        "BLD020",
        f"{PINNED}\nRUN uv python install 3.12\nRUN pip install --user idna",
        ((2, "uv installs Python into /root/.local/share/uv/python"),
         (3, "pip installs into the home folder of the user who builds")),
        f"{PINNED}\nENV UV_PYTHON_INSTALL_DIR=/opt/python\nRUN uv python install 3.12",
    ),
    Case(
        "BLD021",
        f"{HEAD}\n%post\n  source activate\n  a=(1 2)\n  if [[ -f x ]]; then echo ${{a/b/c}}; fi",
        ((4, "/bin/sh does not understand 'source'"),
         (5, "/bin/sh does not understand 'a=(...)'"),
         (6, "/bin/sh does not understand '${a/...}'"),
         (6, "/bin/sh does not understand '[['")),
        f"{HEAD}\n%post -c /bin/bash\n  source activate\n%post\n  echo '[[ <<<' # source",
        "a.def",
    ),
    Case(
        "BLD030",
        f"{PINNED}\nARG GITHUB_TOKEN\nENV DB_PASSWORD=hunter2 TOKENIZERS_PARALLELISM=false",
        ((2, "GITHUB_TOKEN stands in ARG: the image's readers see it"),
         (3, "DB_PASSWORD stands in ENV: the image's readers see it")),
        f"{PINNED}\nENV DB_PASSWORD= PASSWORD_FILE=/run/secrets/p\nARG TOKENS=3",
    ),
    Case(
        "BLD031",
        f"{PINNED}\nENV PIP_INDEX_URL=https://me:hunter2@pypi.example/simple\n"
        "RUN git clone https://me:hunter2@git.example/x",
        ((2, "PIP_INDEX_URL has an address with a password or token in it"),
         (3, "A command (git) has an address with a password or token in it")),
        f"{PINNED}\nENV PIP_INDEX_URL=https://pypi.example:8080/simple",
    ),
    Case(
        "BLD032",
        f"{HEAD}\n%files\n  secrets/.netrc /opt/x/.netrc\n  a.txt /opt/a.txt",
        ((4, "secrets/.netrc is copied into the image"),),
        f"{HEAD}\n%files\n  environment /opt/.env.d",
        "a.def",
    ),
    Case(
        "DKR001",
        f"{PINNED}\nRUN <<EOF\nFROM nothing\nEOF\nCOPY <<-'A' /x\nRUN id\n\tA\n",
        ((2, "A heredoc (EOF) fails with Docker 20.10"),
         (5, "A heredoc (A) fails with Docker 20.10")),
        f"{PINNED}\nRUN cat <<< EOF\nEOF\n",
    ),
    Case(
        "DKR002",
        f"# syntax=docker/dockerfile:1\n{PINNED}",
        ((1, "The builder first pulls docker/dockerfile:1, by a tag that moves"),),
        f"# a comment\n# about syntax = nothing\n{PINNED}",
    ),
    Case(
        "DKR003",
        f"# a comment\n# syntax=docker/dockerfile:1\n{PINNED}",
        ((2, "'# syntax=' is a plain comment here"),),
        f"# escape=`\n{PINNED}\nRUN a `\n  b",
    ),
    Case(
        "DKR004",
        f"{PINNED}\nENV A=1 2\nLABEL a=b c d=e\nENV OLD 1 2",
        ((2, "ENV has a word without a name: 2"), (3, "LABEL has a word without a name: c"),
         (4, "ENV OLD has no '=': the old form")),
        f"{PINNED}\nENV A=\"1 2\" B=1\\ 2 \\\n  # why\n  C='it is'",
    ),
    Case(
        "DKR005",
        f"{PINNED}\nENV A=$HOME/x B='$HOME' C=\\$HOME\nCOPY a ${{USER}}/",
        ((2, "$HOME is empty in ENV"), (3, "$USER is empty in COPY")),
        f"{PINNED}\nENV HOME=/x\nENV A=$HOME PATH=/x:$PATH",
    ),
    Case(
        "DKR006",
        f"{PINNED}\nRUN --mount=type=secret,id=netrc id",
        ((2, "The mount netrc may be absent, and nobody is told"),),
        f"{PINNED}\nRUN --mount=type=secret,id=a,required=true --mount=type=ssh,required id",
    ),
    Case(
        "DKR007",
        f"{PINNED}\nUSER app\nRUN --mount=type=cache,target=/c id",
        ((3, "The cache at /c is root's, and app runs here"),),
        f"{PINNED}\nRUN --mount=type=cache,target=/c id\nUSER 1\n"
        "RUN --mount=type=cache,target=/c,uid=1 id",
    ),
    Case(
        "DKR008",
        f"{PINNED}\nRUN chown -R 10001 /opt/env",
        ((2, "chown -R writes those files once more"),),
        f"{PINNED}\nRUN mkdir -p /x && chown -R 10001 /x && chown 1 /y",
    ),
    Case(
        "DKR009",
        f"{PINNED}\nCOPY . /app",
        ((2, "There is no .dockerignore: the whole folder goes to the builder"),),
        f"{PINNED}\nCOPY --from=x . /app",
    ),
    Case(
        "DKR010",
        f"{PINNED}\nUSER 10001\nUSER root",
        ((3, "The image runs as root"),),
        f"{PINNED}\nUSER 10001:10001",
    ),
    Case(
        "DKR011",
        f"{PINNED}\nCMD a\nFROM {PINNED[5:]}\nHEALTHCHECK CMD a\nHEALTHCHECK NONE\nCMD b",
        ((4, "This HEALTHCHECK does not count: another follows"),),
        f"{PINNED}\nCMD a\nHEALTHCHECK NONE",
    ),
    Case(
        "DKR013",
        f"{PINNED}\nADD https://me:secret@x.example/a.tar /opt/\nADD a.txt /opt/",
        ((2, "ADD takes a file of x.example without its hash"),),
        f"{PINNED}\nADD --checksum=sha256:{'ab' * 32} https://x.example/a.tar /opt/",
    ),
    Case(
        "DKR014",
        f"ARG CUDA_VERSION=12.4\n{PINNED} AS a\nRUN echo cu${{CUDA_VERSION}}\nENV A=$CUDA_VERSION\n"
        f"COPY a /opt/${{CUDA_VERSION:+x}}/\nCMD echo $CUDA_VERSION\nFROM a\nARG CUDA_VERSION\n"
        f"RUN echo $CUDA_VERSION\n{PINNED}\nRUN <<EOF\necho \"it's $CUDA_VERSION\"\nEOF\n"
        "RUN echo ${CUDA_VERSION:-12} ${CUDA_VERSION:?}\nRUN echo $CUDA_VERSION-1",
        ((3, "$CUDA_VERSION of line 1 is empty here"), (4, "$CUDA_VERSION of line 1 is empty here"),
         (5, "$CUDA_VERSION of line 1 is empty here"),
         (11, "$CUDA_VERSION of line 1 is empty here"),
         (14, "$CUDA_VERSION of line 1 is empty here"),
         (15, "$CUDA_VERSION of line 1 is empty here")),
        f"ARG V=12.4\nARG HTTP_PROXY=x\nARG CUDA_VERSION=12.4.1\nFROM a:$V AS a\nARG V\n"
        f"RUN echo $V $HTTP_PROXY $OTHER\nFROM A\nRUN echo $V\nFROM 0\nENV B=$V\n{PINNED}\n"
        "RUN V=1; echo '$V' \\$V $V\nLABEL V=1\n"
        "RUN echo ${V:-x} ${V-x} ${V:=x}\nENV C=${V:-d}\nCOPY a /opt/${V-d}/\n"
        "FROM nvidia/cuda:${CUDA_VERSION}-base-ubuntu24.04\nRUN echo $CUDA_VERSION",
    ),
    Case(
        "DKR015",
        f"{PINNED}\nRUN --mount=type=cache,target=/var/cache/apt "
        "--mount=type=cache,dst=/var/lib/apt/,sharing=shared apt-get update",
        ((2, "The cache at /var/cache/apt is not locked"),
         (2, "The cache at /var/lib/apt/ is not locked")),
        f"{PINNED}\nRUN --mount=type=cache,target=/var/cache/apt,sharing=locked "
        "--mount=type=cache,target=/var/lib/apt,sharing=private --mount=type=cache,target=/root/a "
        "--mount=type=bind,target=/var/lib/apt id",
    ),
    Case(
        "DKR012",
        f"FROM ubuntu:24.04@sha256:{'ab' * 32}\nRUN useradd -u 1000 me",
        ((2, "Ubuntu 24.04 has a user 1000 already: this step fails"),),
        f"FROM ubuntu:24.04@sha256:{'ab' * 32}\nRUN userdel ubuntu && useradd -u 1000 me",
    ),
)  # fmt: skip
