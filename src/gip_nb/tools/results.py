"""What a tool returned, as text for the model: bounded, whatever it is.

Texts are themselves. Frames and arrays are their shape, their types and some rows; figures are what one would
say of them; all else is JSON. No library is imported for it: a value of its class means that it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.tools.figures import figure_text
from gip_nb.tools.structures import json_text
from gip_nb.tools.tabular import table_text
from gip_nb.tools.texts import cut, library_of, no_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["MAX_RESULT_CHARS", "items_of", "result_text"]

MAX_RESULT_CHARS = 16_000


def result_text(result: object, limit: int = MAX_RESULT_CHARS) -> str:
    """A tool's result as text for the model.

    What the user's own classes do when they are asked for a text does no harm: one that fails is named by its
    type. A generator is read as far as there is room, and raises what it raises.

    Args:
        result: anything.
        limit: the most characters, before what is said of a cut.
    """
    if type(result) is str:
        return cut(result, limit)
    text = _special(result, limit)
    return json_text(result, limit, _special) if text is None else cut(text, limit)


async def items_of(source: AsyncIterator[Any], limit: int) -> list[Any] | Iterator[Any]:
    """What an async generator gives, in its own loop: all of it, or the first that surely fill the text.

    Args:
        source: is closed in the end; raises what it raises.
        limit: the most characters of the text.

    Returns:
        A list of all. An iterator over the first ones says by its kind that nobody knows how many there are.
    """
    # The shortest text of a list's item: a digit, a comma and a blank.
    most = limit // 3 + 1
    items: list[Any] = []
    try:
        async for item in source:
            items.append(item)
            if len(items) > most:
                return iter(items)
        return items
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def _special(value: object, limit: int) -> str | None:
    """The text of what has one of its own."""
    if not library_of(value):
        return None
    try:
        text = table_text(value, limit)
        return text if text is not None else figure_text(value, limit)
    except Exception as error:  # noqa: BLE001 - a library's own trouble with a value, or a subclass of the user's
        return no_text(value, error)
