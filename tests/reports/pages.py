"""An HTML page as a browser would take it apart, and the pages that the tests look at."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

from envsnap._check import check
from envsnap.manifest import Manifest
from envsnap.profiles import load
from envsnap.reports._sides import Sides
from envsnap.reports.check_html import page
from envsnap.rules import Checked, CheckOptions
from envsnap.sections import Environ
from tests import made
from tests.reports.hand_made import STUDENT
from tests.rules.machines import device, gpu, machine, packages

_EMPTY = {"meta", "link", "input", "br", "hr", "img"}
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
HOSTILE = (
    "<script>document.title='taken'</script>",
    "</style><style>*{display:none}</style>",
    "</script><script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "\"><svg onload=document.title='taken'>",
    "'onmouseover='document.title=1",
    "javascript:document.title='taken'",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "]]>&lt;b&gt;&#x3c;",
    "evil\u202egnp.exe\u2066",
    "nul\x00esc\x1b[2J",
    "w" * 3000,
)
"""Names that mean something where they stand, if anybody forgets to quote them."""


class Element:
    """One element of a page."""

    def __init__(self, tag: str, attributes: dict[str, str], above: Element | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.above = above
        self.inside: list[Element | str] = []

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    @property
    def text(self) -> str:
        """All that a reader sees of it, spaces as one."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> list[str]:
        return [
            each if isinstance(each, str) else f" {each.text} " for each in self.inside
        ]  # a reader sees elements apart

    def all(self, *tags: str) -> list[Element]:
        """Every element below it of these tags, in the order of the page."""
        found = []
        for each in self.inside:
            if isinstance(each, Element):
                found += [each] if each.tag in tags or not tags else []
                found += each.all(*tags)
        return found

    def of_class(self, name: str) -> list[Element]:
        return [each for each in self.all() if name in each.attributes.get("class", "").split()]


class Page(HTMLParser):
    """The tree of a page; whatever is not closed as it was opened is an error."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.top = Element("", {}, None)
        self._here = self.top
        self.feed(html)
        self.close()
        assert self._here is self.top, f"{self._here.tag} is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} says something twice"
        here = Element(tag, {name: value or "" for name, value in attrs}, self._here)
        self._here.inside.append(here)
        if tag not in _EMPTY:
            self._here = here

    def handle_endtag(self, tag: str) -> None:
        assert self._here.tag == tag, f"</{tag}> closes <{self._here.tag}>"
        assert self._here.above is not None
        self._here = self._here.above

    def handle_data(self, data: str) -> None:
        self._here.inside.append(data)

    def all(self, *tags: str) -> list[Element]:
        return self.top.all(*tags)

    def of_class(self, name: str) -> list[Element]:
        return self.top.of_class(name)

    def by_id(self, name: str) -> Element:
        (found,) = [each for each in self.all() if each.attributes.get("id") == name]
        return found

    @property
    def outline(self) -> list[tuple[int, str]]:
        """The headings: their levels and their texts."""
        return [(int(each.tag[1]), each.text) for each in self.all(*HEADINGS)]

    @property
    def skipped(self) -> list[str]:
        """The headings that stand deeper than one level below the one before."""
        return [two[1] for one, two in pairwise(self.outline) if two[0] > one[0] + 1]


def told(
    wanted: Manifest,
    found: Manifest,
    name: str = "this machine",
    options: CheckOptions | None = None,
) -> tuple[Checked, Sides]:
    """A check between two manifests, and what they are called."""
    checked = check(wanted, found, options or CheckOptions())
    return checked, Sides(wanted, "paper.json", found, name)


def page_of(wanted: Manifest, found: Manifest, name: str = "this machine") -> str:
    return page([told(wanted, found, name)])


@cache
def reviewer() -> Page:
    """A reviewer's first look: an environment of a 4090 on a machine with a T4."""
    return Page(page_of(STUDENT, load("t4-cloud"), "t4-cloud"))


def hostile() -> Manifest:
    """A machine on which everything has a name that is meant to be taken for something else."""
    named = tuple(made.package(name, name) for name in HOSTILE)
    variables = {name: name for name in HOSTILE}
    return machine(
        packages=packages(*named), environ=Environ(variables=variables),
        gpu=gpu(*(device(name) for name in HOSTILE)),
        os=made.linux(distribution_name=HOSTILE[0], distribution=HOSTILE[1], kernel=HOSTILE[2]),
    )  # fmt: skip


def large(number: int, version: str = "1.0") -> Manifest:
    """A machine with so many packages; every tenth has another version than '1.0'."""
    installed = (
        made.package(f"package-{each:04}", version if each % 10 == 0 else "1.0")
        for each in range(number)
    )
    return machine(packages=packages(*installed))


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance of #rgb or #rrggbb."""
    digits = colour.lstrip("#")
    digits = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast of two colours: 4.5 is what body text needs."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
