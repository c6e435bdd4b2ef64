"""Where the packages of an environment lie on this machine."""

from __future__ import annotations

import sys
import sysconfig

from envsnap.host import LocalHost
from envsnap.probes import Options
from envsnap.probes._located import located
from envsnap.sections import Unknown


def test_every_package_of_an_environment_is_found_again_where_it_lies() -> None:
    found = located(LocalHost(), Options(python=sys.executable, digests=False))
    assert not isinstance(found, Unknown)
    assert not isinstance(found.section.installed, Unknown)
    assert [each.package for each in found.packages] == list(found.section.installed)
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    pytest_ = next(each for each in found.packages if each.package.name == "pytest")
    assert pytest_.folder in folders
    assert (pytest_.kind, pytest_.path.endswith(".dist-info")) == ("dist-info", True)
