"""What a user says of a turn, checked: from the arguments of `label()` to a `local.label` row. Pure."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Literal

from gip_nb.errors import BadSetting, UnknownTurn

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MOST_LABEL_CHARS", "MOST_TAGS", "MOST_TAG_CHARS", "Rating", "label_fields"]

Rating = Literal["up", "down", 1, 0, -1]

MOST_LABEL_CHARS = 2000
MOST_TAG_CHARS = 100
MOST_TAGS = 50
_WORDS = {"up": 1, "down": -1}


def label_fields(
    turn: int | None,
    label: str | None,
    tags: str | Iterable[str] | None,
    rating: Rating | None,
    turns: int,
) -> dict[str, Any]:
    """The fields of a `local.label` row: the turn, and those of the three that were given.

    Args:
        turn: its number, from 1; None is the newest.
        label: a text; an empty one takes the label away.
        tags: all tags of the turn, or its only one; none at all (`[]`, `""`) takes them away.
        rating: `"up"` or 1, `"down"` or -1; 0 takes it away, which is None in the row.
        turns: how many there are.

    Raises:
        UnknownTurn: there is no such turn.
        BadSetting: nothing is said of it, or what cannot be.
    """
    fields: dict[str, Any] = {"turn": _checked_turn(turn, turns)}
    if label is not None:
        fields["label"] = _checked_text("label", label, MOST_LABEL_CHARS)
    if tags is not None:
        fields["tags"] = _checked_tags(tags)
    if rating is not None:
        fields["rating"] = _checked_rating(rating) or None
    if len(fields) == 1:
        raise BadSetting(
            f"nothing is said of turn {fields['turn']}",
            'give a label, tags=... or rating="up" (or "down"; 0 takes a rating away).',
        )
    return fields


def _checked_turn(turn: int | None, turns: int) -> int:
    number = turns if turn is None else _whole(turn)
    if number is None:
        raise BadSetting(
            f"turn is {_shown(turn)}",
            'give its number, from 1: label(3, "..."); for the newest turn label(label="...").',
        )
    if not 1 <= number <= turns:
        raise UnknownTurn(None if turn is None else number, turns)
    return number


def _whole(value: object) -> int | None:
    """A whole number, numpy's too; True and False are none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # what is none raises
    except TypeError:
        return None


def _checked_text(name: str, given: object, most_chars: int) -> str:
    if not isinstance(given, str):
        raise BadSetting(f"{name} is a {type(given).__name__}", f"give {name} as text.")
    text = given.strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadSetting(
            f"{name} holds half a character: {_shown(text)}", "give text that UTF-8 can write."
        ) from None
    if len(text) > most_chars:
        raise BadSetting(
            f"{name} has {len(text):,} characters: it may have {most_chars:,}",
            "shorten it; what is longer is better kept in a column of your own, joined to session.turns.",
        )
    return text


def _checked_tags(tags: str | Iterable[str]) -> list[str]:
    if isinstance(tags, str):
        tags = [tags] if tags.strip() else []
    try:
        given = list(tags)
    except TypeError:
        raise BadSetting(f"tags is {_shown(tags)}", 'give tags=["one", "two"], or one as text.') from None
    # Each once, in the order in which they were given.
    found = list(dict.fromkeys(_checked_text("a tag", tag, MOST_TAG_CHARS) for tag in given))
    if "" in found:
        raise BadSetting("a tag is empty", "leave it out; tags=[] takes all of them away.")
    if len(found) > MOST_TAGS:
        raise BadSetting(f"these are {len(found)} tags: a turn may have {MOST_TAGS}", "leave some out.")
    return found


def _checked_rating(rating: object) -> int:
    number = _WORDS.get(rating) if isinstance(rating, str) else _whole(rating)
    if number not in {1, 0, -1}:
        raise BadSetting(
            f"rating is {_shown(rating)}", 'give "up" or 1, "down" or -1; 0 takes the rating away.'
        )
    return number


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004 - a line of an error
