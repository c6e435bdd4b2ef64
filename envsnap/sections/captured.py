"""The capture itself: when it was made, and of what."""

from envsnap.sections._shape import fact, shape


@shape
class Captured:
    """When and how the capture was made."""

    time: str = fact(
        "UTC, ISO 8601, to the second; SOURCE_DATE_EPOCH where that is set. Of what was imported "
        "the time of the import: nobody says when it was recorded"
    )
    version: str = fact("The version of envsnap")
    deep: bool = fact("Whether libraries were resolved, too", default=False)
    verified: bool = fact("Whether every file was hashed against RECORD", default=False)
    anonymous: bool = fact("Whether what names a person was left out", default=False)
    imported: tuple[str, ...] = fact(
        "What others recorded that it was made of, as 'pip freeze', sorted; empty where it was "
        "captured",
        default=(),
    )
