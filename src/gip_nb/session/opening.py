"""How a connection is opened: in the dialect that the model's name suggests, or in the server's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gip_nb.errors import ConnectionDropped, DialectRefused, GipError
from gip_nb.session.trouble import error_of, refuses_dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.settings import Settings
    from gip_nb.session.waits import Waits

__all__ = ["Opens", "greeted", "open_line"]

_CREATED_TIMEOUT_S = 15.0
_SHAPE_DISABLED = "beta_api_shape_disabled"


class Opens(Protocol):
    """What a connection is opened on: a `Line`, or a `Spare`."""

    async def open(self, settings: Settings, dialect: Dialect) -> None:
        """Connect in this dialect; see `Line.open`."""
        ...

    async def close(self) -> None:
        """Leave it again."""
        ...


async def open_line(
    line: Opens,
    waits: Waits,
    settings: Settings,
    check: Callable[[], None],
    known: Dialect | None = None,
) -> None:
    """Connect and wait for the server's session. On the loop.

    Args:
        line: not connected.
        waits: where the server's events are waited for.
        settings: where to, with what.
        check: raises where the connection is not wanted any more.
        known: the dialect that this address spoke before. It is tried first; the other one only where
            `settings` leave that open, for a gateway may come back as another version of itself.

    Raises:
        DialectRefused: the server speaks another dialect, or none.
        GipError: what the server said instead, or that it said nothing.
    """
    first = known or settings.first_dialect
    refusal = await _open_in(first, line, waits, settings, check)
    if refusal is None:
        return
    if settings.dialect != "auto":
        raise DialectRefused(
            f"the server does not speak the {first} dialect",
            f"leave out dialect={first!r}: the one that it speaks is found by itself.",
            _SHAPE_DISABLED,
        )
    other: Dialect = "ga" if first == "beta" else "beta"
    # Of a server that was there before, a close without a word tells more of trouble than of dialects.
    in_trouble = refusal if known is not None and isinstance(refusal, ConnectionDropped) else None
    try:
        refusal = await _open_in(other, line, waits, settings, check)
    except GipError:
        if in_trouble is not None:
            raise in_trouble from None
        raise
    if refusal is not None:
        raise in_trouble or DialectRefused(
            "the server speaks neither dialect of the protocol",
            "check base_url: it is the API's root, such as 'https://host/v1'.",
            _SHAPE_DISABLED,
        )


async def greeted(waits: Waits) -> None:
    """Wait for the greeting, alone.

    Raises:
        GipError: there is none.
    """
    await waits.next({"session.created"}, _CREATED_TIMEOUT_S)


async def _open_in(
    dialect: Dialect, line: Opens, waits: Waits, settings: Settings, check: Callable[[], None]
) -> GipError | None:
    """Connect in this dialect. Returns how a server that does not speak it has said so."""
    try:
        await line.open(settings, dialect)
    except DialectRefused as refusal:
        # Said in the answer to the handshake.
        return refusal
    # Stop may have been pressed while that took its time.
    check()
    try:
        first = await waits.next({"session.created", "error"}, _CREATED_TIMEOUT_S)
    except DialectRefused as refusal:
        # Said in the reason of a close.
        await line.close()
        return refusal
    except ConnectionDropped as dropped:
        # Some servers turn a dialect away by closing without a word.
        if dialect == "beta" and settings.dialect == "auto":
            await line.close()
            return dropped
        raise
    if first["type"] == "session.created":
        return None
    await line.close()
    problem = error_of(first)
    if refuses_dialect(first):
        return problem
    raise problem
