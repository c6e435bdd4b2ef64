from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.errors import FileError
from envsnap.inside.outside import of_file
from envsnap.inside.wheel import from_wheel
from envsnap.sections import replace
from envsnap.wheelhouse._make import make_wheel
from envsnap.wheelhouse._member import Home
from tests.wheelhouse.by_hand import HOME, Installed, install, legacy, row

FILES = {
    "a/__init__.py": b"x = 1\n",
    "a/data.bin": bytes(range(256)),
    "../../../bin/tool": b"#!PREFIX/bin/python3.11\nprint(1)\n",
    "../../../share/a/table.csv": b"1,2\n",
    "../../../include/site/python3.11/a/a.h": b"int a;\n",
}


def made(installed: Installed, target: Path) -> Any:  # noqa: ANN401 - Made, and its path opened
    target.mkdir(exist_ok=True)
    return make_wheel(installed.located, installed.home, str(target))


def names_of(path: str) -> list[str]:
    with zipfile.ZipFile(path) as wheel:
        return wheel.namelist()


def text_of(path: str, name: str) -> bytes:
    with zipfile.ZipFile(path) as wheel:
        return wheel.read(name)


def with_prefix(prefix: Path) -> dict[str, bytes]:
    return {name: data.replace(b"PREFIX", os.fsencode(prefix)) for name, data in FILES.items()}


def test_a_made_wheel_has_every_file_in_its_place_and_the_digest_of_the_installation(
    tmp_path: Path,
) -> None:
    installed = install(tmp_path / "env", with_prefix(tmp_path / "env"))
    wheel = made(installed, tmp_path / "out")
    assert os.path.basename(wheel.path) == "a-1.0-py3-none-any.whl"
    assert names_of(wheel.path) == [
        "a-1.0.data/data/share/a/table.csv",
        "a-1.0.data/headers/a.h",
        "a-1.0.data/scripts/tool",
        "a/__init__.py",
        "a/data.bin",
        "a-1.0.dist-info/METADATA",
        "a-1.0.dist-info/WHEEL",
        "a-1.0.dist-info/RECORD",
    ]
    assert text_of(wheel.path, "a-1.0.data/scripts/tool") == b"#!python\nprint(1)\n"
    assert wheel.notes == ()
    assert wheel.content == installed.located.package.content == from_wheel(wheel.path).content


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    installed = install(tmp_path / "env", with_prefix(tmp_path / "env"))
    first = made(installed, tmp_path / "one")
    for path in sorted((tmp_path / "env").rglob("*"), reverse=True):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    second = made(installed, tmp_path / "two")
    assert Path(first.path).read_bytes() == Path(second.path).read_bytes()
    assert first.sha256 == second.sha256


def test_times_and_permissions_are_fixed_and_programs_stay_programs(tmp_path: Path) -> None:
    installed = install(tmp_path / "env", {"a/run.sh": b"#!/bin/sh\n", "a/b.py": b""})
    (installed.site / "a" / "run.sh").chmod(0o700)
    (installed.site / "a" / "b.py").chmod(0o600)
    wheel = made(installed, tmp_path / "out")
    with zipfile.ZipFile(wheel.path) as packed:
        found = {
            each.filename: (each.date_time, stat.S_IMODE(each.external_attr >> 16))
            for each in packed.infolist()
        }
    assert found["a/run.sh"] == ((1980, 1, 1, 0, 0, 0), 0o755)
    assert found["a/b.py"] == ((1980, 1, 1, 0, 0, 0), 0o644)


def test_the_wrappers_of_entry_points_and_what_installers_write_are_not_packed(
    tmp_path: Path,
) -> None:
    files = {
        "a.py": b"",
        "__pycache__/a.cpython-311.pyc": b"\0",
        "../../../bin/cli": b"#!/env/bin/python\n",
        "a-1.0.dist-info/entry_points.txt": b"[console_scripts]\ncli = a:main\n",
        "a-1.0.dist-info/REQUESTED": b"",
        "a-1.0.dist-info/direct_url.json": b"{}",
    }
    wheel = made(install(tmp_path / "env", files), tmp_path / "out")
    assert names_of(wheel.path) == [
        "a.py",
        "a-1.0.dist-info/METADATA",
        "a-1.0.dist-info/WHEEL",
        "a-1.0.dist-info/entry_points.txt",
        "a-1.0.dist-info/RECORD",
    ]


def test_an_edited_file_is_kept_and_named(tmp_path: Path) -> None:
    installed = install(tmp_path / "env", FILES)
    (installed.site / "a" / "__init__.py").write_text("x = 2\n")
    wheel = made(installed, tmp_path / "out")
    assert wheel.notes == ("kept as edited: a/__init__.py",)
    assert text_of(wheel.path, "a/__init__.py") == b"x = 2\n"
    assert wheel.content != installed.located.package.content


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    installed = install(tmp_path / "env", FILES)
    (installed.site / "a" / "data.bin").unlink()
    wheel = made(installed, tmp_path / "out")
    assert wheel.notes == ("not packed, missing: a/data.bin",)


def test_a_row_that_leaves_the_prefix_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    rows = row("../../../../secret", b"secret") + row(str(secret), b"secret")
    installed = install(tmp_path / "env", {"a.py": b""}, more=rows)
    wheel = made(installed, tmp_path / "out")
    assert wheel.notes == ("not packed, it lies outside the environment: secret, secret",)
    assert b"secret" not in Path(wheel.path).read_bytes()


def test_a_link_that_leads_out_of_the_prefix_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    installed = install(tmp_path / "env", {"a.py": b"", "b.py": b"secret", "c/d.py": b"secret"})
    (installed.site / "b.py").unlink()
    (installed.site / "b.py").symlink_to(secret)
    (installed.site / "c" / "d.py").unlink()
    (installed.site / "c").rmdir()
    (installed.site / "c").symlink_to(tmp_path)
    (tmp_path / "d.py").write_bytes(b"secret")
    wheel = made(installed, tmp_path / "out")
    assert wheel.notes == (
        "not packed, it is a link that leads out of the environment: b.py, c/d.py",
    )
    assert "b.py" not in names_of(wheel.path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    installed = install(tmp_path / "env", {"a.py": b"", "pipe": b""})
    (installed.site / "pipe").unlink()
    os.mkfifo(installed.site / "pipe")
    wheel = made(installed, tmp_path / "out")
    assert wheel.notes == ("not packed, it is no regular file: pipe",)


def test_names_that_no_unpacker_agrees_on_are_not_packed(tmp_path: Path) -> None:
    installed = install(tmp_path / "env", {"a.py": b"", "b\\c.py": b"", "ü b.py": b""})
    wheel = made(installed, tmp_path / "out")
    assert wheel.notes == ("not packed, no wheel can have such a name: b\\\\c.py",)
    assert "ü b.py" in names_of(wheel.path)


def test_what_pip_target_has_moved_is_found_where_it_is(tmp_path: Path) -> None:
    site = tmp_path / "target"
    installed = install(tmp_path / "env", {"a.py": b"", "../../../bin/tool": b"#!/bin/sh\n"})
    installed.site.rename(site)
    (site / "bin").mkdir()
    (tmp_path / "env" / "bin" / "tool").rename(site / "bin" / "tool")
    located = installed.located._replace(folder=str(site), path=str(site / installed.info.name))
    wheel = made(installed._replace(located=located), tmp_path / "out")
    assert wheel.notes == ()
    assert "a-1.0.data/scripts/tool" in names_of(wheel.path)


def test_a_version_that_is_none_makes_a_name_that_is_one_and_says_so(tmp_path: Path) -> None:
    installed = install(tmp_path / "env", {"a.py": b""}, version="1.1build1~2")
    wheel = made(installed, tmp_path / "out")
    assert os.path.basename(wheel.path) == "a-1.1build1_2-py3-none-any.whl"
    assert " ".join(wheel.notes) == (
        "pip and uv refuse the version '1.1build1~2', which is none of PEP 440; "
        "envsnap itself unpacks the wheel"
    )


def test_an_installation_without_wheel_file_gets_tags_of_its_own(tmp_path: Path) -> None:
    files = {"a/fast.cpython-311-x86_64-linux-gnu.so": b"\x7fELF"}
    installed = install(tmp_path / "env", files)
    (installed.info / "WHEEL").unlink()
    record = (installed.info / "RECORD").read_text().splitlines(keepends=True)
    kept = [line for line in record if "WHEEL" not in line]
    (installed.info / "RECORD").write_text("".join(kept))
    wheel = made(installed, tmp_path / "out")
    assert os.path.basename(wheel.path) == "a-1.0-cp311-cp311-linux_x86_64.whl"
    assert wheel.notes == ("WHEEL was made: the installation has none",)


def test_an_egg_info_becomes_metadata_that_installers_read(tmp_path: Path) -> None:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    located = legacy(
        site,
        {
            "PKG-INFO": "Metadata-Version: 1.1\nName: old\nVersion: 2\n",
            "requires.txt": 'six\n\n[fast]\nnumpy>=1\n\n[:python_version < "3"]\nenum34\n',
            "top_level.txt": "old\n",
            "installed-files.txt": "../old/__init__.py\n../../../../bin/old-tool\nPKG-INFO\n",
        },
        {"old/__init__.py": "x = 1\n", "../../../bin/old-tool": "#!/bin/sh\n"},
        ("old", "2"),
    )
    made_one = make_wheel(located, HOME, str(tmp_path))
    assert names_of(made_one.path) == [
        "old-2.data/scripts/old-tool",
        "old/__init__.py",
        "old-2.dist-info/METADATA",
        "old-2.dist-info/WHEEL",
        "old-2.dist-info/top_level.txt",
        "old-2.dist-info/RECORD",
    ]
    assert text_of(made_one.path, "old-2.dist-info/METADATA").decode().splitlines() == [
        "Metadata-Version: 2.1",
        "Name: old",
        "Version: 2",
        "Requires-Dist: six",
        "Provides-Extra: fast",
        'Requires-Dist: numpy>=1; extra == "fast"',
        'Requires-Dist: enum34; python_version < "3"',
    ]
    assert made_one.notes == (
        "its files are those of installed-files.txt",
        "WHEEL was made: the installation has none",
    )


def test_an_egg_info_without_a_list_gives_its_top_level_packages(tmp_path: Path) -> None:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    located = legacy(
        site,
        {"PKG-INFO": "Name: old\nVersion: 2\n", "top_level.txt": "old\n_old\n"},
        {"old/__init__.py": "", "old/sub/x.py": "", "_old.py": "", "other/__init__.py": ""},
        ("old", "2"),
    )
    made_one = make_wheel(located, HOME, str(tmp_path))
    assert names_of(made_one.path)[:3] == ["_old.py", "old/__init__.py", "old/sub/x.py"]
    assert made_one.notes[0] == (
        "its files are those of its top-level packages: no list of them was kept"
    )


def test_an_installation_that_nothing_lists_is_refused(tmp_path: Path) -> None:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    located = legacy(site, {"PKG-INFO": "Name: old\nVersion: 2\n"}, {}, ("old", "2"))
    with pytest.raises(FileError, match=r"^Nothing says which files belong to old 2$"):
        make_wheel(located, HOME, str(tmp_path))


def test_an_egg_and_a_zipped_one_become_wheels(tmp_path: Path) -> None:
    egg = tmp_path / "b-1-py3.11.egg"
    (egg / "EGG-INFO" / "scripts").mkdir(parents=True)
    (egg / "b").mkdir()
    (egg / "b" / "__init__.py").write_text("x = 1\n")
    (egg / "EGG-INFO" / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: b\nVersion: 1\n")
    (egg / "EGG-INFO" / "scripts" / "b-tool").write_text("#!/usr/bin/env python\n")
    zipped = tmp_path / "zipped" / egg.name
    zipped.parent.mkdir()
    with zipfile.ZipFile(zipped, "w") as packed:
        for path in sorted(egg.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(egg))
    found = []
    for place, kind in ((egg, "egg"), (zipped, "zip")):
        described = replace(install(tmp_path / "x", {}).located.package, name="b", version="1")
        located = install(tmp_path / "x", {}).located._replace(
            package=replace(described, content=None), path=f"{place}/EGG-INFO", folder=str(place),
            kind=kind,
        )  # fmt: skip
        made_one = make_wheel(located, HOME, str(tmp_path))
        found.append((names_of(made_one.path), made_one.content, made_one.notes[0]))
    names = [
        "b-1.data/scripts/b-tool", "b/__init__.py", "b-1.dist-info/METADATA",
        "b-1.dist-info/WHEEL", "b-1.dist-info/RECORD",
    ]  # fmt: skip
    assert [each[0] for each in found] == [names, names]
    assert found[0][1] == found[1][1]
    assert [each[2] for each in found] == ["made from an egg", "made from a zip"]


def test_a_distributions_own_package_has_the_files_that_dpkg_lists(tmp_path: Path) -> None:
    from envsnap.wheelhouse._legacy import Known, gather_legacy
    from envsnap.wheelhouse._member import area_of

    site = tmp_path / "usr" / "lib" / "python3" / "dist-packages"
    located = legacy(
        site, {"PKG-INFO": "Name: deb\nVersion: 1\n"}, {"deb/__init__.py": "", "debx.py": ""},
        ("deb", "1"),
    )  # fmt: skip
    lists = tmp_path / "info"
    lists.mkdir()
    listed = [located.path, f"{located.path}/PKG-INFO", f"{site}/deb/__init__.py", "/etc/passwd"]
    (lists / "python3-deb.list").write_text("\n".join(listed) + "\n")
    found = gather_legacy(located.path, area_of(str(site), "/"), ("deb", "1"), Known(str(lists)))
    assert [each.name for each in found.members] == ["deb/__init__.py", "deb-1.dist-info/METADATA"]
    assert found.notes == ("its files are those that dpkg lists in python3-deb.list",)


@given(
    st.dictionaries(
        st.from_regex(r"\A[a-z]{1,6}(/[a-z_]{1,6}){0,2}\.(py|txt|so)\Z"),
        st.binary(max_size=40),
        max_size=5,
    )
)
def test_the_digest_of_a_made_wheel_is_that_of_the_installation(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("law")
    installed = install(folder / "env", {"a.py": b"", **{f"p/{k}": v for k, v in files.items()}})
    wheel = made(installed, folder / "out")
    stated = of_file(os.fsencode(installed.info / "RECORD")).content
    assert wheel.content == stated == from_wheel(wheel.path).content
    assert isinstance(installed.home, Home)
