"""Rows of a RECORD, and what the digests over them must say."""

from __future__ import annotations

import base64
import hashlib

from envsnap.inside.content import Stated

EMPTY = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
EMPTY_HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def field(data: bytes) -> str:
    raw = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={raw.rstrip(b'=').decode()}"


def row(path: str, data: bytes = b"") -> str:
    return f"{path},{field(data)},{len(data)}\n"


def by_the_definition(files: dict[str, bytes]) -> str:
    lines = [p.encode() + b"\0" + hashlib.sha256(d).hexdigest().encode() for p, d in files.items()]
    return hashlib.sha256(b"".join(line + b"\n" for line in sorted(lines))).hexdigest()


def told(answer: Stated) -> dict[str, object]:
    """Everything an answer says."""
    refusals = [
        refusal and (refusal.code, refusal.detail)
        for refusal in (answer.refusal, answer.other_refusal)
    ]
    return {
        "content": answer.content,
        "files": answer.files,
        "refusal": refusals[0],
        "other": answer.other,
        "outside": answer.outside,
        "other_refusal": refusals[1],
    }


def refused(code: str, detail: str) -> dict[str, object]:
    return {
        "content": None,
        "files": 0,
        "refusal": (code, detail),
        "other": None,
        "outside": 0,
        "other_refusal": (code, detail),
    }
