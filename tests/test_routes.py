"""The ways to an image, judged over machines that are not here."""

from __future__ import annotations

import pytest

from envsnap._routes import Check, Routes, Seen, build_line, judge, refused_for
from envsnap.cli._routes import text
from envsnap.engines._ground import Folder, Mount, mount_of, parse_mounts, parse_quotas, quota_at
from envsnap.errors import ToolError
from envsnap.facts.registry_answers import NoSuchTag
from envsnap.reports._lines import plain
from envsnap.sections import Engines, Fact, Reason, Unknown

ABSENT = ToolError("it is not on PATH")
DISK = Folder(
    "/scratch/anna", "xfs", 500 * 10**9, starts_programs=True, hands_on=False, quota_bytes=None
)
SETTINGS: dict[str, Fact[str | None]] = {
    "user.max_user_namespaces": "62716",
    "kernel.unprivileged_userns_clone": None,
    "kernel.apparmor_restrict_unprivileged_userns": None,
}
NEED = 20 * 10**9


def engines(*, ids: Fact[bool] = True, toolkit: Fact[str | None] = None) -> Engines:
    return Engines(
        found=(), user_namespaces=True, subordinate_ids=ids, container_toolkit=toolkit,
        shm_mib=64, open_files=1024, locked_memory_kib=64,
    )  # fmt: skip


def seen(**changes: object) -> Seen:
    """A login node: Apptainer alone, a plain user, room on a local disk."""
    names = ("docker", "podman", "buildah", "apptainer", "singularity", "repo2docker")
    versions: dict[str, str | ToolError] = dict.fromkeys(names, ABSENT)
    asked = {
        "versions": {**versions, "apptainer": "apptainer 1.4.5"}, "is_root": False,
        "namespace": True, "settings": SETTINGS, "folders": (DISK,),
        "home": DISK._replace(path="/home/anna"), "memory": None,
        "images": {}, **changes,
    }  # fmt: skip
    return Seen(**asked)  # type: ignore[arg-type]  # by name


def check_of(found: Seen, topic: str, **changes: object) -> Check:
    judged = judge(found, engines(**changes), gpu=True, needs=NEED)  # type: ignore[arg-type]  # by name
    return next(each for each in judged.checks if each.topic.startswith(topic))


def test_the_way_of_a_cluster_is_apptainer_with_its_exports() -> None:
    found = judge(seen(), engines(), gpu=False, needs=NEED)
    assert found.chosen is not None
    assert found.chosen.engine == "apptainer"
    assert build_line(found) == (
        "envsnap build --singularity --engine apptainer --image paper.sif --workdir /scratch/anna"
    )
    assert found.exports == (
        "export TMPDIR=/scratch/anna",
        "export APPTAINER_TMPDIR=/scratch/anna",
        "export APPTAINER_CACHEDIR=/scratch/anna/apptainer-cache",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user.max_user_namespaces", "0"),
        ("kernel.unprivileged_userns_clone", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    ],
)
def test_the_setting_that_blocks_user_namespaces_is_named(name: str, value: str) -> None:
    machine = seen(namespace=False, settings={**SETTINGS, name: value})
    found = check_of(machine, "user namespaces")
    assert (found.word, found.said) == ("stops", f"blocked: {name} = {value}")
    judged = judge(machine, engines(), gpu=False, needs=NEED)
    assert judged.chosen is None
    assert build_line(judged) is None


def test_a_seccomp_filter_is_told_by_the_trial_alone() -> None:
    found = check_of(seen(namespace=False), "user namespaces")
    assert found.said == ("blocked, and not by a setting (user.max_user_namespaces = 62716)")
    assert "seccomp=unconfined" in found.remedy


def test_docker_needs_no_user_namespaces_of_the_user() -> None:
    machine = seen(namespace=False)
    versions = {**machine.versions, "docker": "docker 27.1.0, buildx 0.16.0"}
    found = judge(machine._replace(versions=versions), engines(), gpu=False, needs=NEED)
    assert found.chosen is not None
    assert found.chosen.engine == "docker"


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "gpfs", "beegfs", "fuse.sshfs", "cifs"])
def test_a_folder_over_the_network_is_refused(kind: str) -> None:
    folder = DISK._replace(kind=kind)
    assert refused_for(folder, NEED) == f"it is on {kind}, which keeps no other users' files"
    found = judge(seen(folders=(folder,)), engines(), gpu=False, needs=NEED)
    assert (found.workdir, found.exports) == (None, ())


def test_a_folder_that_will_not_do_is_passed_over_for_one_that_does() -> None:
    small = DISK._replace(path="/tmp", free_bytes=5 * 10**9)  # noqa: S108 - a name
    found = judge(seen(folders=(small, DISK)), engines(), gpu=False, needs=NEED)
    assert found.workdir == "/scratch/anna"
    told = [each for each in found.checks if each.topic.startswith("working folder")]
    assert [(each.word, each.said) for each in told] == [
        ("warns", "5.0 GB are free there, and 20 GB are needed"),
        ("fine", "xfs, 500 GB free, starts programs"),
    ]


def test_what_a_folder_does_to_builds_is_said() -> None:
    assert refused_for(DISK._replace(starts_programs=False), NEED) == (
        "programs cannot be started from it (noexec)"
    )
    memory = check_of(seen(folders=(DISK._replace(kind="tmpfs"),)), "working folder")
    assert memory.said == "tmpfs, 500 GB free: what is written there takes memory"
    inherits = check_of(seen(folders=(DISK._replace(hands_on=True),)), "working folder")
    assert (inherits.word, "takes that off" in inherits.said) == ("warns", True)
    closed = Unknown(Reason.NO_PERMISSION, "nothing can be written there: Permission denied")
    assert refused_for(DISK._replace(starts_programs=closed), NEED) == closed.detail


def test_missing_ids_memory_toolkit_and_registries_are_said() -> None:
    assert check_of(seen(), "subordinate ids", ids=False).word == "warns"
    assert check_of(seen(memory=2 * 10**9), "memory limit").said == (
        "2.0 GB: packing a large image may be ended"
    )
    assert check_of(seen(), "GPU in containers").word == "warns"
    assert check_of(seen(), "GPU in containers", toolkit="1.16.2").said == (
        "nvidia-container-toolkit 1.16.2"
    )
    assert check_of(seen(), "registries").word == "not checked"


@pytest.mark.parametrize(
    ("answer", "word", "said"),
    [
        (f"sha256:{'0' * 64}", "fine", "its registry, or a mirror, has it"),
        (
            Unknown(Reason.TIMED_OUT, "r.example: [Errno -2] Name or service not known"),
            "warns",
            "not to be had from here: r.example: Name or service not known",
        ),
        (
            NoSuchTag("r.example answers 404 for lab/x:1"),
            "warns",
            "not found: r.example answers 404 for lab/x:1",
        ),
    ],
)
def test_a_base_image_is_judged_by_what_its_registry_answers(
    answer: Fact[str], word: str, said: str
) -> None:
    found = check_of(seen(images={"r.example/lab/x:1": answer}), "base image r.example/lab/x:1")
    assert (found.word, found.said) == (word, said)


def test_a_folder_in_memory_is_taken_only_where_there_is_no_disk() -> None:
    memory = DISK._replace(path="/dev/shm", kind="tmpfs")  # noqa: S108 - a name
    both = judge(seen(folders=(memory, DISK), named="/dev/shm"), engines(), gpu=False, needs=NEED)  # noqa: S108 - a name
    assert (both.workdir, both.instead_of) == ("/scratch/anna", "/dev/shm")  # noqa: S108 - a name
    alone = judge(seen(folders=(memory,), named="/dev/shm"), engines(), gpu=False, needs=NEED)  # noqa: S108 - a name
    assert (alone.workdir, alone.instead_of) == ("/dev/shm", None)  # noqa: S108 - a name


def test_what_goes_there_by_itself_is_not_to_be_exported() -> None:
    versions = {**seen().versions, "docker": "docker 27.1.0, buildx 0.16.0"}
    usual = judge(
        seen(versions=versions, temporary="/scratch/anna"), engines(), gpu=False, needs=NEED
    )
    assert usual.exports == ()
    assert build_line(usual) == "envsnap build --docker --engine docker --image lab/paper:1"


def shown(found: Routes, **how: bool) -> str:
    return "\n".join(plain(text(found, 80, **how)))


def test_the_answer_comes_first_and_every_line_keeps_its_column() -> None:
    small = DISK._replace(path="/home/anna/build", free_bytes=5 * 10**9)
    machine = seen(folders=(small, DISK), named=small.path)
    found = judge(machine, engines(ids=False), gpu=False, needs=NEED)
    answer = (
        "  IMAGES   YES   apptainer 1.4.5, in /scratch/anna and not in /home/anna/build\n"
        "  Build      envsnap build --singularity --engine apptainer --image paper.sif "
        "--workdir /scratch/anna\n"
        "  By hand    export TMPDIR=/scratch/anna\n"
        "             export APPTAINER_TMPDIR=/scratch/anna\n"
        "             export APPTAINER_CACHEDIR=/scratch/anna/apptainer-cache"
    )
    assert shown(found, quiet=True) == answer
    assert shown(found) == (
        f"{answer}\n"
        "\n"
        "  warns      subordinate ids: fewer than 65536 in /etc/subuid or /etc/subgid:\n"
        "             system packages that make users cannot be installed, and Podman\n"
        "             and Buildah unpack no image of several owners\n"
        "             -> Ask your administrator for: usermod --add-subuids 100000-165535\n"
        '                --add-subgids 100000-165535 "$USER"\n'
        "  warns      working folder /home/anna/build: 5.0 GB are free there, and 20 GB\n"
        "             are needed\n"
        "             -> Name a folder on a local disk with --workdir DIR\n"
        "\n"
        "  Could      apptainer 1.4.5\n"
        "  Could not  docker: it is not on PATH\n"
        "             podman: it is not on PATH\n"
        "             buildah: it is not on PATH\n"
        "             singularity: it is not on PATH\n"
        "             repo2docker: it is not on PATH\n"
        "\n"
        "Fine         user namespaces, working folder /scratch/anna, home folder, memory\n"
        "             limit.  -v says more\n"
        "Not checked  registries: the network was not used; --online asks them"
    )
    assert "Fine         user namespaces: one was made\n" in shown(found, verbose=True)


def test_where_nothing_builds_the_answer_says_what_can_be_done() -> None:
    none = judge(seen(namespace=False), engines(), gpu=False, needs=NEED)
    assert shown(none, quiet=True) == (
        "  IMAGES   NO   no engine here builds images; the recipes can be written, and\n"
        "                built elsewhere\n"
        "  Write      envsnap build --docker -o DIR"
    )
    nowhere = judge(seen(folders=(DISK._replace(kind="lustre"),)), engines(), gpu=False, needs=NEED)
    assert shown(nowhere, quiet=True) == (
        "  IMAGES   NO   no folder here will do to build in; name one with --workdir"
    )


def test_the_deepest_mount_holds_a_path() -> None:
    told = (
        "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "30 21 0:25 / /home rw,noexec shared:1 - nfs4 server:/home rw\n"
        "31 21 0:26 / /homework rw - xfs /dev/sdb rw\n"
    )
    mounts = parse_mounts(told)
    assert mount_of("/home/anna", mounts) == Mount(
        "/home", "nfs4", frozenset({"rw", "noexec"}), "server:/home"
    )
    assert mount_of("/homework", mounts) == Mount("/homework", "xfs", frozenset({"rw"}), "/dev/sdb")
    assert mount_of("/homes", mounts) == Mount(
        "/", "ext4", frozenset({"rw", "relatime"}), "/dev/vda"
    )


QUOTAS = (
    "Disk quotas for user anna (uid 1000):\n"
    "     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace\n"
    "      /dev/sda1  900000 1000000 1100000       0       5       0       0       0\n"
    "server:/home   20971520* 20971520 20971520       0      10       0       0       0\n"
    "      /dev/sdb1       0       0       0       0       5       0       0       0\n"
)


def test_each_file_system_has_its_own_quota_and_none_is_none() -> None:
    assert parse_quotas(QUOTAS) == {"/dev/sda1": 100000 * 1024, "server:/home": 0}
    assert parse_quotas("Disk quotas for user anna (uid 1000): none\n") == {}


def test_a_quota_counts_where_its_file_system_is_mounted() -> None:
    home, disk, other = (
        Mount(point, "xfs", frozenset(), source)
        for point, source in (("/home", "server:/home"), ("/scratch", "/dev/sda1"), ("/x", "tmpfs"))
    )
    mounts, quotas = (home, disk, other), parse_quotas(QUOTAS)
    assert [quota_at(each, mounts, quotas) for each in mounts] == [0, 102_400_000, None]
    assert quota_at(other, mounts, {}) is None
    assert quota_at(home, (home, other), quotas) == 0
    assert quota_at(other, (home, other), quotas) == Unknown(
        Reason.NOT_RECORDED,
        "quota tells of /dev/sda1 (102 MB left), which is mounted nowhere by that name",
    )


def test_a_folder_where_the_quota_leaves_too_little_is_refused() -> None:
    full = DISK._replace(path="/home/anna/build", quota_bytes=0)
    assert refused_for(full, NEED) == "your quota leaves 0 B there, and 20 GB are needed"
    assert judge(seen(folders=(full,)), engines(), gpu=False, needs=NEED).workdir is None
    both = judge(seen(folders=(full, DISK)), engines(), gpu=False, needs=NEED)
    assert both.workdir == "/scratch/anna"
    assert refused_for(DISK._replace(quota_bytes=NEED), NEED) == ""


@pytest.mark.parametrize(
    ("left", "word", "said"),
    [
        (10**9, "fine", "the quota leaves 1.0 GB; "),
        (0, "fine", "its quota is full; "),
        (None, "fine", "500 GB free, no quota told; "),
        (Unknown(Reason.TOOL_MISSING, "no quota"), "fine", "500 GB free, no quota told; "),
        (Unknown(Reason.NOT_RECORDED, "quota tells of /dev/x"), "not checked", ""),
    ],
)
def test_what_the_home_folder_has_left_is_said_and_stops_no_build(
    left: Fact[int | None], word: str, said: str
) -> None:
    found = check_of(seen(home=DISK._replace(quota_bytes=left)), "home folder")
    rest = "with a working folder builds write nothing there" if said else "quota tells of /dev/x"
    assert (found.word, found.said) == (word, f"{said}{rest}")
