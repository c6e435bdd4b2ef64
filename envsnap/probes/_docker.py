"""Docker's client and daemon, asked in one command over a socket of this machine."""

from __future__ import annotations

from envsnap.host import Host
from envsnap.probes._texts import is_there, not_on, system, unparsable
from envsnap.sections import Engine, Fact, Reason, Unknown

_DEADLINE_S = 1.0
_FORMAT = "{{.Client.Version}}|{{.Server.Version}}"
_LOCAL = "unix://"


def docker(host: Host) -> Engine:
    """The client's version, and whether the daemon answers this user.

    A daemon on another machine is not asked: a capture opens no network connection.
    """
    address = host.environ("DOCKER_HOST")
    if isinstance(address, str) and not address.startswith(_LOCAL) and address:
        away = Unknown(Reason.NOT_ASKED, "DOCKER_HOST names a daemon on another machine")
        return Engine(name="docker", version=_client(host), usable=away)
    if system(host) == "Windows":
        return Engine(name="docker", version=_client(host), usable=not_on("Windows"))
    socket = _socket(host, address)
    if socket is None:
        return Engine(name="docker", version=_client(host), usable=False)
    ran = host.run(
        ["docker", "-H", _LOCAL + socket, "version", "--format", _FORMAT], timeout_s=_DEADLINE_S
    )
    if isinstance(ran, Unknown):
        return Engine(name="docker", version=_client(host), usable=ran)
    client, _, server = ran.stdout.strip().partition("|")
    usable = _usable(ran.status, server, ran.stderr)
    return Engine(name="docker", version=client or _client(host), usable=usable)


def _usable(status: int, server: str, stderr: str) -> Fact[bool]:
    if status == 0 and server and server != "<no value>":
        return True
    if "permission denied" in stderr.lower() or "Cannot connect" in stderr:
        return False
    return unparsable("docker version", stderr)


def _socket(host: Host, address: Fact[str | None]) -> str | None:
    if isinstance(address, str) and address:
        return address.removeprefix(_LOCAL)
    places = ["/var/run/docker.sock"]
    runtime, home = host.environ("XDG_RUNTIME_DIR"), host.home()
    if isinstance(runtime, str) and runtime:
        places.append(f"{runtime}/docker.sock")
    if isinstance(home, str):
        places += [f"{home}/.docker/run/docker.sock", f"{home}/.docker/desktop/docker.sock"]
    return next((place for place in places if is_there(host, place)), None)


def _client(host: Host) -> Fact[str]:
    ran = host.run(["docker", "--version"])
    if isinstance(ran, Unknown):
        return ran
    return parse_client(ran.stdout)


def parse_client(text: str) -> Fact[str]:
    """The version in the client's own words.

    >>> parse_client("Docker version 28.2.2, build e6534b4")
    '28.2.2'
    """
    words = text.split()
    if len(words) > 2 and words[1] == "version":  # noqa: PLR2004 - the third is it
        version = words[2].rstrip(",")
        return version if words[0] == "Docker" else f"{words[0]} {version}"  # podman's stand-in
    return unparsable("docker --version", text)
