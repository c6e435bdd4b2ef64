from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.probes import Anchors
from envsnap.probes._urls import clean_url

HOME = Anchors(home="/home/anna", project="/home/anna/tide")


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("https://index.example/simple", "https://index.example/simple"),
        ("https://anna:s3cret@index.example/simple", "https://index.example/simple"),
        ("https://s3cret@index.example:8443/simple", "https://index.example:8443/simple"),
        ("https://anna:s3/cret@index.example/simple", "https://index.example/simple"),
        ("https://anna:s3#cret@index.example/simple", "https://index.example/simple"),
        ("https://anna:s3cret", "https://{host}"),
        ("https://[2001:db8::1]:80/simple", "https://[2001:db8::1]:80/simple"),
        ("https://files.example/t/ab-12-s3cret/lab/linux-64", "https://files.example/lab/linux-64"),
        ("https://files.example/a.whl?X-Signature=s3cret", "https://files.example/a.whl"),
        (
            "https://files.example/a.whl#sha256=00ff&token=s3cret",
            "https://files.example/a.whl#sha256=00ff",
        ),
        ("https://dl.cloudsmith.io/s3cret/lab/repo/", "https://dl.cloudsmith.io/{token}/lab/repo/"),
        ("https://dl.cloudsmith.io/public/lab/repo/", "https://dl.cloudsmith.io/public/lab/repo/"),
        ("https://packagecloud.io/priv/s3cret/x", "https://packagecloud.io/priv/{token}/x"),
        ("https://files.example/ghp_0123456789abcdef/x", "https://files.example/{token}/x"),
        (
            "git+https://s3cret@forge.example/lab/tide.git@main#egg=tide",
            "git+https://forge.example/lab/tide.git@main#egg=tide",
        ),
        ("git+ssh://git@forge.example/lab/tide.git", "git+ssh://git@forge.example/lab/tide.git"),
        ("ssh://anna@forge.example/lab/tide.git", "ssh://forge.example/lab/tide.git"),
        ("git@forge.example:lab/tide.git", "git@forge.example:lab/tide.git"),
        ("anna@forge.example:lab/tide.git", "forge.example:lab/tide.git"),
        ("anna:s3cret@forge.example/lab", "forge.example/lab"),
        ("file:///home/anna/wheels", "file://{home}/wheels"),
        ("git+file:///data/anna/tide", "git+file://{other}/tide"),
        ("/home/anna/tide/.git", "{project}/.git"),
        ("../tide", "../tide"),
        ("C:/Users/anna/tide", "{other}/tide"),
    ],
)
def test_an_address_loses_what_opens_a_door(url: str, cleaned: str) -> None:
    assert clean_url(url, HOME) == cleaned


@given(st.text(), st.sampled_from(["", "https://", "git+ssh://", "file://", "git@h:"]))
def test_no_text_makes_it_raise(text: str, scheme: str) -> None:
    assert isinstance(clean_url(scheme + text), str)


@given(st.text(alphabet="abc/?#@:%", max_size=8))
def test_no_password_survives_whatever_is_in_it(around: str) -> None:
    secret = f"{around}S3CRET{around}"
    assert "S3CRET" not in clean_url(f"https://anna:{secret}@files.example/x")


@given(st.text(alphabet="abc@:%", max_size=8))
def test_no_token_before_the_host_survives(around: str) -> None:
    assert "S3CRET" not in clean_url(f"git+https://{around}S3CRET{around}@files.example/x")
