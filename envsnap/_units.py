"""Bytes and seconds as people say them. The only place that puts them into words."""

from __future__ import annotations

_KILO, _TWO_DIGITS, _MINUTE, _HOUR = 1000, 10, 60, 3600


def size_words(count: int) -> str:
    """Bytes for people, in powers of a thousand.

    >>> size_words(3_450_000_000), size_words(61_204_038), size_words(999)
    ('3.5 GB', '61 MB', '999 B')
    """
    size, units = float(count), ["TB", "GB", "MB", "kB", "B"]
    while size >= _KILO - 0.5 and len(units) > 1:
        size /= _KILO
        units.pop()
    digits = 1 if size < _TWO_DIGITS and units[-1] != "B" else 0
    return f"{size:.{digits}f} {units[-1]}"


def time_words(seconds: int) -> str:
    """A duration for people, as roughly as it is known.

    >>> time_words(20), time_words(100), time_words(9000)
    ('under a minute', '2 minutes', '2.5 hours')
    """
    if seconds >= 2 * _HOUR:
        return f"{seconds / _HOUR:.1f} hours"
    if seconds < _MINUTE:
        return "under a minute"
    minutes = round(seconds / _MINUTE)
    return f"{minutes} minute" + ("" if minutes == 1 else "s")
