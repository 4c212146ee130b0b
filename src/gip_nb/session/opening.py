"""How a connection is opened: in the dialect that the model's name suggests, or in the server's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.errors import ConnectionDropped, DialectRefused
from gip_nb.session.trouble import error_of, refuses_dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.line import Line
    from gip_nb.session.settings import Settings
    from gip_nb.session.waits import Waits

__all__ = ["open_line"]

_CREATED_TIMEOUT_S = 15.0
_SHAPE_DISABLED = "beta_api_shape_disabled"


async def open_line(line: Line, waits: Waits, settings: Settings, check: Callable[[], None]) -> None:
    """Connect and wait for the server's session. On the loop.

    Args:
        line: not connected.
        waits: where the server's events are waited for.
        settings: where to, with what.
        check: raises where the connection is not wanted any more.

    Raises:
        DialectRefused: the server speaks another dialect, or none.
        GipError: what the server said instead, or that it said nothing.
    """
    first = settings.first_dialect
    if await _open_in(first, line, waits, settings, check):
        return
    if settings.dialect != "auto":
        raise DialectRefused(
            f"the server does not speak the {first} dialect",
            f"leave out dialect={first!r}: the one that it speaks is found by itself.",
            _SHAPE_DISABLED,
        )
    other: Dialect = "ga" if first == "beta" else "beta"
    if not await _open_in(other, line, waits, settings, check):
        raise DialectRefused(
            "the server speaks neither dialect of the protocol",
            "check base_url: it is the API's root, such as 'https://host/v1'.",
            _SHAPE_DISABLED,
        )


async def _open_in(
    dialect: Dialect, line: Line, waits: Waits, settings: Settings, check: Callable[[], None]
) -> bool:
    """Connect in this dialect. Returns False where the server does not speak it."""
    try:
        await line.open(settings, dialect)
    except DialectRefused:
        # Said in the answer to the handshake.
        return False
    # Stop may have been pressed while that took its time.
    check()
    try:
        first = await waits.next({"session.created", "error"}, _CREATED_TIMEOUT_S)
    except DialectRefused:
        # Said in the reason of a close.
        await line.close()
        return False
    except ConnectionDropped:
        # Some servers turn a dialect away by closing without a word.
        if dialect == "beta" and settings.dialect == "auto":
            await line.close()
            return False
        raise
    if first["type"] == "session.created":
        return True
    await line.close()
    if refuses_dialect(first):
        return False
    raise error_of(first)
