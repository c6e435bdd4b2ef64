from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import RecordedHost
from envsnap.probes import Anchors, Look
from envsnap.probes.environ import held, names, probe_environ, publishable
from envsnap.sections import Environ, Reason, Unknown

HOME = Anchors(home="/home/anna")
CARD = "GPU-8f4b0c2e-52a1-4b6e-9d3c-0123456789ab"


def test_only_variables_of_the_list_are_read(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        environ={
            "OMP_NUM_THREADS": "8",
            "LD_LIBRARY_PATH": "/usr/local/cuda/lib64:/home/anna/lib:",
            "CUDA_VISIBLE_DEVICES": f"{CARD},1",
            "WANDB_API_KEY": "s3cret",
            "HF_TOKEN": "s3cret",
            **{
                name: None
                for name in names()
                if name not in {"OMP_NUM_THREADS", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"}
            },
        },
        home="/home/anna",
        cwd="/",
        absent_below=["/"],
    )
    assert probe_environ(look_at(host)) == Environ(
        variables={
            "CUDA_VISIBLE_DEVICES": "GPU-{uuid},1",
            "LD_LIBRARY_PATH": "/usr/local/cuda/lib64:{home}/lib:",
            "OMP_NUM_THREADS": "8",
        }
    )


def test_a_variable_that_cannot_be_read_leaves_all_unknown(look_at: Callable[..., Look]) -> None:
    off = Unknown(Reason.NO_RUNNING_MACHINE)

    class Folder(RecordedHost):
        def environ(self, name: str) -> Unknown:  # noqa: ARG002 - all alike
            return off

    assert probe_environ(look_at(Folder.made())) == Environ(variables=off)


def test_no_name_of_a_secret_is_on_the_list() -> None:
    words = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "CREDENTIAL", "AUTH")
    assert [name for name in names() if any(word in name.upper() for word in words)] == []


def test_every_variable_holds_something_that_is_known() -> None:
    assert {held(name) for name in names()} == {"text", "path", "paths", "libraries", "devices"}


@pytest.mark.parametrize(
    ("value", "holds", "published"),
    [
        ("/home/anna/a:/usr/lib", "paths", "{home}/a:/usr/lib"),
        (":lib", "paths", ":lib"),
        ("/usr/lib/a.so /home/anna/b.so", "libraries", "/usr/lib/a.so {home}/b.so"),
        ("/usr/lib/a.so:/data/anna/b.so c.so", "libraries", "/usr/lib/a.so:{other}/b.so c.so"),
        ("/data/anna smith/lib:/usr/lib", "paths", "{other}/lib:/usr/lib"),
        ("/data/anna smith/my cache", "path", "{other}/my cache"),
        ("--to=/data/anna smith/dump --x=1", "text", "--to={other}/dump --x=1"),
        ("/data/anna/cache", "path", "{other}/cache"),
        ("base", "path", "base"),
        (f"{CARD},MIG-8f4b0c2e-52a1-4b6e-9d3c-0123456789ab", "devices", "GPU-{uuid},MIG-{uuid}"),
        ("MIG-GPU-8f4b0c2e-52a1/1/0", "devices", "MIG-{uuid}"),
        ("0,1", "devices", "0,1"),
        ("--xla_dump_to=/home/anna/dump --xla_x=1", "text", "--xla_dump_to={home}/dump --xla_x=1"),
        ("see https://anna:pw@files.example/x", "text", "see https://files.example/x"),
        (":4096:8", "text", ":4096:8"),
        ("Europe/Paris", "text", "Europe/Paris"),
        ("C.UTF-8", "text", "C.UTF-8"),
    ],
)
def test_a_value_names_nobody(value: str, holds: str, published: str) -> None:
    assert publishable(value, holds, HOME, identify=False) == published


def test_a_card_is_named_when_that_was_asked_for() -> None:
    assert publishable(CARD, "devices", HOME, identify=True) == CARD


@given(st.text(), st.sampled_from(["text", "path", "paths", "libraries", "devices"]))
def test_no_value_makes_it_raise(value: str, holds: str) -> None:
    assert isinstance(publishable(value, holds, HOME, identify=False), str)


@pytest.mark.parametrize(
    ("value", "holds", "published"),
    [
        ("/home/anna smith/lib", "paths", "{home}/lib"),
        ("/home/anna smith/lib:/usr/lib", "paths", "{home}/lib:/usr/lib"),
        ("/home/anna smith/my lib/a b", "path", "{home}/my lib/a b"),
        ("/home/anna smith/a.so /usr/lib/b.so", "libraries", "{home}/a.so /usr/lib/b.so"),
        ("--to=/home/anna smith/dump --x=1", "text", "--to={home}/dump --x=1"),
        ("'/home/anna smith'", "text", "'{home}'"),
        ("/home/anna smith/paper/lib", "paths", "{project}/lib"),
        ("/home/anna smith/paper two/lib", "paths", "{home}/paper two/lib"),
    ],
)
def test_a_home_with_a_space_in_its_name_names_nobody(
    value: str, holds: str, published: str
) -> None:
    anchors = Anchors(home="/home/anna smith", project="/home/anna smith/paper")
    assert publishable(value, holds, anchors, identify=False) == published


@given(st.text(alphabet=" :;=,'\"-x"), st.sampled_from(["text", "path", "paths", "libraries"]))
def test_no_home_folder_survives(around: str, holds: str) -> None:
    found = publishable(f"{around}/home/anna/secret{around}", holds, HOME, identify=False)
    assert "anna" not in found
