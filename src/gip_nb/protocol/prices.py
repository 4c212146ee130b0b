"""What tokens and minutes cost: the table that comes with this package, overlaid by the user's own.

Prices are data (`prices.json`: USD per million tokens, or per minute of audio that is transcribed, with
source and date on each row). Gateways charge otherwise and prices change, so a user gives rows of the same
kind, as a dict or a file; one row replaces the whole row of that model.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gip_nb.errors import BadSetting

__all__ = [
    "KINDS",
    "PACKAGED",
    "REHEARSAL",
    "Price",
    "Prices",
    "Rate",
    "packaged",
    "read_prices",
    "told_prices",
]

# The embedded server's one model: it has no price, and whoever wants one gives it.
REHEARSAL = "rehearsal"
KINDS = ("text", "audio", "image")
_FIELDS = (*KINDS, "per_minute", "source", "date")
_PREFIX = "openai/"
_EXAMPLE = (
    '{"my/model": {"text": {"input": 4, "cached": 0.4, "output": 16}, '
    '"audio": {"input": 32, "cached": 0.4, "output": 64}}}, USD per million tokens'
)


class Rate(msgspec.Struct, frozen=True):
    """USD per million tokens of one kind.

    Attributes:
        input: of what goes in.
        cached: instead of `input`, of what comes from the cache.
        output: of what comes out; None where no price is known.
    """

    input: float
    cached: float
    output: float | None = None


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the table. A kind without a price is None: what uses it has no known cost.

    Attributes:
        model: the exact model id; in the packaged table without a provider's prefix.
        source: where the figures were read: a page, `argument`, or a file's name.
        date: when, as YYYY-MM-DD; empty where nobody said.
        text, audio, image: for tokens of these kinds.
        per_minute: USD a minute of audio, of models that transcribe and are billed by its length.
    """

    model: str
    source: str
    date: str = ""
    text: Rate | None = None
    audio: Rate | None = None
    image: Rate | None = None
    per_minute: float | None = None

    @property
    def answers(self) -> bool:
        """Whether it prices a spoken response: text and audio, both ways."""
        return all(rate is not None and rate.output is not None for rate in (self.text, self.audio))


class Prices:
    """The user's own rows over the packaged ones. Never changes.

    Args:
        own: in order; the last row of a model counts.
    """

    __slots__ = ("_own",)

    def __init__(self, own: tuple[Price, ...] = ()) -> None:
        self._own = {price.model: price for price in own}

    @property
    def own(self) -> tuple[Price, ...]:
        """The user's rows."""
        return tuple(self._own.values())

    @property
    def rows(self) -> tuple[Price, ...]:
        """All that is known: the user's rows, then those packaged ones that none of them replaces."""
        return (*self.own, *(price for model, price in packaged().items() if model not in self._own))

    def of(self, model: str) -> Price | None:
        """The row of a model, by its exact id: no prefixes or families, snapshots have differed in price.

        A row of the user's for the full id wins; then the `openai/` of a gateway is taken off.
        """
        bare = model.removeprefix(_PREFIX)
        return self._own.get(model) or self._own.get(bare) or packaged().get(bare)

    def name_of(self, told: str, asked: str) -> str:
        """By which of its names a model is priced.

        A gateway takes one name and its server may tell another.

        Args:
            told: by the server, empty where it has not.
            asked: by this side.

        Returns:
            The one that the user has priced, else the one that has any price, the told one first; where none
            has, the told one, or the asked one where nothing was told.
        """
        names = [name for name in (told, asked) if name]
        bare = [name.removeprefix(_PREFIX) for name in names]
        found = (
            *(name for name in names if name in self._own),
            *(name for name, short in zip(names, bare, strict=True) if short in self._own),
            *(name for name, short in zip(names, bare, strict=True) if short in packaged()),
        )
        return (*found, *names, "")[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prices) and self._own == other._own

    def __hash__(self) -> int:
        return hash(self.own)

    def __repr__(self) -> str:
        return f"<Prices own={sorted(self._own)} packaged={len(packaged())}>"


@functools.cache
def packaged() -> Mapping[str, Price]:
    """The table that comes with this package, by model id; read once."""
    # Not by importlib.resources: importing its readers takes as long as a table of 10,000 events.
    data = Path(__file__).with_name("prices.json").read_bytes()
    return {price.model: price for price in _table(json.loads(data), "prices.json", "prices.json")}


PACKAGED = Prices()
"""Without rows of a user."""


def read_prices(source: Mapping[str, Any] | str | Path | None) -> Prices:
    """The packaged table with the user's rows over it.

    Args:
        source: rows by model, each with `text`, `audio` and `image` (of each `input`, `cached` and `output`,
            USD per million tokens; without `cached` a cached token costs what any other does), `per_minute`
            (USD), and if you like `source` and `date`; or the path of a JSON file, in this form or in that of
            the packaged `prices.json`; None is the packaged table.

    Raises:
        BadSetting: naming the value, and what would be right.
    """
    if source is None:
        return PACKAGED
    if isinstance(source, Mapping):
        return Prices(tuple(_table(source, "prices", "argument")))
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        return Prices(tuple(_table(_json_of(path), str(path), path.name)))
    raise BadSetting(
        f"prices is a {type(source).__name__}", f"give a JSON file's path, or a dict such as {_EXAMPLE}."
    )


def told_prices(rows: object) -> Prices:
    """The user's prices as a log has them (`msgspec.to_builtins` of each row). Never raises.

    Args:
        rows: what is no row is left out.
    """
    found: list[Price] = []
    for row in rows if isinstance(rows, list) else []:
        try:
            found += _table({"models": [row]}, "prices", "log")
        except BadSetting:
            continue
    return Prices(tuple(found))


def _json_of(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise BadSetting(
            f"the prices in {str(path)!r} cannot be read: {error.strerror or error}",
            "check the path; it is taken relative to the notebook's folder.",
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadSetting(
            f"the prices in {str(path)!r} are no JSON: {error}", f"write them as {_EXAMPLE}."
        ) from None


def _table(table: object, where: str, source: str) -> list[Price]:
    """The rows of a table in either form.

    Args:
        table: by model, or with a list `models` of rows that name theirs.
        where: it stands, for errors.
        source: of rows that name none.
    """
    rows = table.get("models") if isinstance(table, Mapping) else None
    if isinstance(rows, list) and all(isinstance(row, Mapping) and "model" in row for row in rows):
        found = [(row["model"], {k: v for k, v in row.items() if k != "model"}) for row in rows]
    elif isinstance(table, Mapping) and rows is None:
        found = list(table.items())
    else:
        raise BadSetting(
            f"{where} holds no table of prices",
            f"write it as {_EXAMPLE}; or as prices.json of this package, a list `models` of such rows.",
        )
    return [_row(model, row, source) for model, row in found]


def _row(model: object, row: object, source: str) -> Price:
    """One row of the user's, checked."""
    if not isinstance(model, str) or not model.strip():
        raise BadSetting(
            f"prices name a model {model!r}", "use the id that talk() takes, such as 'my/model'."
        )
    where = f"prices[{model!r}]"
    if not isinstance(row, Mapping):
        raise BadSetting(f"{where} is {row!r}", f"give a dict such as {_EXAMPLE}.")
    unknown = [name for name in row if name not in _FIELDS]
    if unknown:
        raise BadSetting(
            f"{where} has {unknown[0]!r}, which no price has", f"known are {', '.join(_FIELDS)}."
        )
    minute = row.get("per_minute")
    price = Price(
        model=model,
        source=_words(f"{where}['source']", row.get("source"), source),
        date=_words(f"{where}['date']", row.get("date"), ""),
        **{kind: _rate(f"{where}[{kind!r}]", row[kind]) for kind in KINDS if row.get(kind) is not None},
        per_minute=None if minute is None else _usd(f"{where}['per_minute']", minute),
    )
    if price.per_minute is None and price.text is price.audio is price.image is None:
        raise BadSetting(f"{where} prices nothing", f"give it 'text' and 'audio': {_EXAMPLE}.")
    return price


def _rate(where: str, given: object) -> Rate:
    if not isinstance(given, Mapping):
        raise BadSetting(f"{where} is {given!r}", 'give USD per million tokens: {"input": 4, "output": 16}.')
    unknown = [name for name in given if name not in {"input", "cached", "output"}]
    if unknown or given.get("input") is None:
        wrong = f"has {unknown[0]!r}" if unknown else "has no 'input'"
        raise BadSetting(f"{where} {wrong}", "known are 'input', 'cached' and 'output'; 'input' is needed.")
    usd = {name: _usd(f"{where}[{name!r}]", value) for name, value in given.items() if value is not None}
    rate = Rate(usd["input"], usd.get("cached", usd["input"]), usd.get("output"))
    if rate.cached > rate.input:
        raise BadSetting(
            f"{where}: cached {rate.cached:g} is more than input {rate.input:g}",
            "a cached token costs no more than another; leave 'cached' out where there is no discount.",
        )
    return rate


def _usd(where: str, given: object) -> float:
    # NaN compares with nothing, and what no float can hold is no price.
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < 1e9:  # noqa: PLR2004 - a thousand dollars a token
        raise BadSetting(f"{where} is {given!r}", "give US dollars as a number, 0 or more.")
    return float(given)


def _words(where: str, given: object, otherwise: str) -> str:
    if given is None:
        return otherwise
    if not isinstance(given, str):
        raise BadSetting(f"{where} is {given!r}", "give it as text, such as '2026-11-28'.")
    return given
