"""PKG003 and PKG013: files that differ from what RECORD states."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.sections import Changes, Fact, Package, Reason, Unknown, replace
from tests import made
from tests.rules.machines import judged, machine, packages, told, well

IDNA = made.package("idna", "3.7", content="a" * 64)
CLEAN = Changes(edited=(), missing=(), extra=("idna/x.py",), unchecked=("../../x",), files=7)
EDITED = replace(CLEAN, edited=("idna/core.py",), missing=("idna/a.py", "idna/b.py"))
ABOUT = ", edited 1 file: idna/core.py; missing 2 files: idna/a.py, idna/b.py"


def having(package: Package) -> Manifest:
    return machine(packages=packages(package))


def test_edited_and_missing_files_are_named_with_their_package() -> None:
    found = told(well("PKG013", having(replace(IDNA, changes=EDITED))))
    assert found == [("note", f"idna 3.7{ABOUT}")]


def test_extra_and_unchecked_files_are_no_finding() -> None:
    assert told(well("PKG013", having(replace(IDNA, changes=CLEAN)))) == []


def test_what_was_not_verified_is_no_finding_and_no_question() -> None:
    for why in (Reason.NOT_ASKED, Reason.NOT_SUPPORTED):
        report = well("PKG013", having(replace(IDNA, changes=Unknown(why))))
        assert (told(report), report.not_checked) == ([], ())


def test_other_content_says_which_files_were_edited() -> None:
    changed = replace(IDNA, content="b" * 64, changes=EDITED)
    report = judged("PKG003", having(IDNA), having(changed))
    assert told(report) == [("numerics", f"idna 3.7: other files under the same version{ABOUT}")]


def test_an_edit_that_both_sides_have_is_no_difference() -> None:
    changed = replace(IDNA, content="b" * 64, changes=EDITED)
    assert told(judged("PKG003", having(changed), having(changed))) == []


def test_programs_and_data_elsewhere_are_compared_where_both_sides_know_them() -> None:
    def against(wanted: Fact[str | None], found: Fact[str | None]) -> list[tuple[str, str]]:
        sides = [having(replace(IDNA, outside=each)) for each in (wanted, found)]
        return told(judged("PKG003", *sides))

    said = [("numerics", "idna 3.7: other programs or data outside of site-packages")]
    unknown = Unknown(Reason.NOT_RECORDED)
    assert against("c" * 64, "d" * 64) == said
    assert against(None, "d" * 64) == said
    assert against("c" * 64, unknown) == against(unknown, None) == against(None, None) == []
