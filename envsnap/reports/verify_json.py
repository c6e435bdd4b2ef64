"""verify's answer for programs: one versioned JSON document."""

from __future__ import annotations

import json

from envsnap.errors import ExitCode
from envsnap.inside import compared
from envsnap.manifest import Manifest, document, environment_id
from envsnap.manifest._encode import harmless, plain
from envsnap.proof import Tampered, Verified

VERSION = "1.0"
_ANSWERS = {ExitCode.OK: "same", ExitCode.NO: "differs", ExitCode.CANNOT_TELL: "cannot-tell"}


def json_text(verified: Verified) -> str:
    """The whole answer; empty where a difference has no such part is null."""
    proof = verified.proof
    tree = {
        "verify": VERSION,
        "answer": _ANSWERS[verified.exit_code],
        "image": {"reference": verified.image, "digest": verified.digest or None},
        "manifest": _manifest(verified.wanted, verified.published or None),
        "inside": _manifest(verified.inside, None) if verified.inside else None,
        "environment": {"prefix": proof.prefix, "python": proof.python or None},
        "layers": list(proof.layers),
        "base": verified.base or None,
        "packages": {
            "found": proof.packages,
            "by_content": proof.proved,
            "by_version": dict(proof.by_version),
        },
        "files": {"hashed": proof.files, "bytes": proof.size, "by_record": proof.outside},
        "differs": [_difference(each) for each in verified.tampered],
        "not_proved": [
            {**each._asdict(), "accepted": each.code in verified.allowed}
            for each in verified.not_proved
        ],
        "host": [
            {"what": what, "captured": said}
            for what, said in compared.host_facts(document(verified.wanted))
        ],
        "embedded": list(verified.embedded),
        "system": verified.system
        and {
            "same": verified.system.same,
            "differs": list(verified.system.other),
        },
    }
    text = json.dumps(plain(tree), indent=2, sort_keys=True, ensure_ascii=False)
    return harmless(text) + "\n"


def _manifest(manifest: Manifest, name: str | None) -> dict[str, object]:
    return {
        "name": name,
        "environment": plain(environment_id(manifest)),
        "facts_digest": document(manifest)["facts_digest"],
    }


def _difference(each: Tampered) -> dict[str, object]:
    """A difference; `layer` and `over` count the layers from 0, the base's first."""
    row: dict[str, object] = {
        name: value if name == "layer" or value else None for name, value in each._asdict().items()
    }
    return {**row, "over": list(each.over), "others": list(each.others)}
