"""A server's address, however it was written down, in the one form that the package knows. Pure."""

from __future__ import annotations

import difflib
import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from gip_nb.errors import BadSetting

__all__ = ["DEFAULT_BASE_URL", "read_base_url"]

DEFAULT_BASE_URL = "https://api.platform.a15t.com/v1"

_SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_IN_FULL = f"give http, https, ws or wss in full, such as {DEFAULT_BASE_URL!r}."
# `http:/host`, `https//host`, `wss:host`: meant well, with a slip in the punctuation.
_SLIP = re.compile(r"(?P<scheme>https?|wss?)(?=[:/\\])[:/\\]+(?P<rest>.+)", re.IGNORECASE)
_HOST = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\W_][\w.-]*)(?::(?P<port>\d+))?(?:/.*)?", re.IGNORECASE)


def read_base_url(given: str, name: str = "base_url") -> str:
    """Any form of the address as http(s), without `/realtime` and without a closing slash.

    Args:
        given: http, https, ws or wss in any case, with or without `/realtime`, slashes and spaces round it.
        name: what it was given as, for an error's text: `base_url` or `GIP_BASE_URL`.

    Raises:
        BadSetting: another scheme or none (what was probably meant is offered), no host, a port that is none,
            a query of its own, or a user and password. These two may be secret and are not shown. They are
            refused rather than dropped: whoever wrote them needs them, and would meet a refusal without a
            reason; and rather than kept: the address stands in every error and in the log.
    """
    text = given.strip()
    if "@" in text:
        raise BadSetting(
            f"{name} {_without_secrets(text)!r} has a user or a password in it",
            "leave out what stands before the '@': the address is shown in errors and in the log. A server "
            "that wants them takes them as a header: extra_headers={'Authorization': 'Basic ...'}.",
        )
    if any(character.isspace() or not character.isprintable() for character in text):
        raise BadSetting(
            f"{name} {_without_secrets(text)!r} has a space or a line's end inside", "write it without."
        )
    try:
        parts = urlsplit(text)
        # Asking is what checks the port; encoding is what checks the host's name.
        host = parts.hostname if parts.port != 0 else None
        (host or "").encode("idna")
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in _SCHEMES or not host or host in _SCHEMES or "\\" in parts.netloc:
        meant = _meant(text)
        hint = f"did you mean {meant!r}? " if meant else ""
        raise BadSetting(f"{name} {_without_secrets(text)!r} is no address of a server", f"{hint}{_IN_FULL}")
    if parts.query:
        names = ", ".join(dict(parse_qsl(parts.query, keep_blank_values=True))) or "?"
        raise BadSetting(
            f"{name} has a query ({names})",
            "end it before the '?'; the model goes to model=..., the rest to extra_query={...}.",
        )
    path = parts.path.rstrip("/").removesuffix("/realtime").rstrip("/")
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc.removesuffix(":"), path, "", ""))


def _without_secrets(text: str) -> str:
    """The address as it may be shown: without what stands before an `@`, and without a query's values."""
    shown = "[...]@" + text.rpartition("@")[2] if "@" in text else text
    bare, mark, _ = shown.partition("?")
    return f"{bare}{mark}[...]" if mark and len(shown) > len(bare) + 1 else shown


def _meant(text: str) -> str | None:
    """The address that was probably meant, None where nothing can be made of the text."""
    bare, _, _ = text.partition("?")
    scheme, separator, rest = bare.partition("://")
    if slip := _SLIP.fullmatch(rest) or _SLIP.fullmatch(bare):
        # `https://https://host` too: the second one counts.
        return _checked(f"{slip['scheme'].lower()}://{slip['rest']}")
    if separator:
        near = difflib.get_close_matches(scheme.lower(), _SCHEMES, n=1)
        return _checked(f"{near[0]}://{rest}") if near else None
    found = _HOST.fullmatch(bare.lstrip("/\\"))
    if found is None:
        return None
    return _checked(f"{'http' if _is_near(found['host'], found['port']) else 'https'}://{found[0]}")


def _checked(address: str) -> str | None:
    """The address where it would be taken, so that nothing is offered that fails again."""
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and parts.hostname not in _SCHEMES and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    return address if usable and "\\" not in address else None


def _is_near(host: str, port: str | None) -> bool:
    """Whether this is a machine of one's own, where nobody sets up https, or a port of its own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost")) or port not in {None, "443"}
