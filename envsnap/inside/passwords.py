"""Prints the passwords of the addresses in pip's settings as lines of a netrc file.

Run as `python -I passwords.py PIP.CONF`; exit status 1 where a netrc file cannot hold one. What
installs the packages reads netrc files and no settings of pip's. Syntax for Python 3.6 and newer,
standard library only.
"""

import configparser
import re
import sys
from urllib.parse import unquote, urlsplit

_KEYS = ("index-url", "extra-index-url", "find-links")
_NOT_PLAIN = re.compile(r"[\s\"'\\#]")


def rows(text: str) -> "list[str]":
    """One line for each host with a name and a password, in the order of the settings.

    Raises:
        ValueError: A password has characters of which programs make different things.
    """
    settings = configparser.RawConfigParser(strict=False)
    settings.read_string(text)
    words = [
        word
        for section in settings.sections()
        for key, value in settings.items(section)
        if key.replace("_", "-") in _KEYS
        for word in value.split()
    ]
    found = []
    for word in words:
        parts = urlsplit(word)
        if not (parts.hostname and parts.username and parts.password):
            continue
        login, password = unquote(parts.username), unquote(parts.password)
        if _NOT_PLAIN.search(login + password):
            raise ValueError("a netrc file cannot hold the password for %s" % parts.hostname)
        found.append("machine %s login %s password %s" % (parts.hostname, login, password))
    return list(dict.fromkeys(found))


def main() -> None:
    """Read the file that the command line names."""
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            found = rows(file.read())
    except configparser.Error:  # its message quotes the line, which may hold a password
        sys.exit("passwords.py: pip's settings are in no form that pip reads")
    except ValueError as error:
        sys.exit("passwords.py: %s" % error)
    for each in found:
        print(each)


if __name__ == "__main__":
    main()
