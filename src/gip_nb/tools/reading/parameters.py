"""The parameters of pandas' methods that an expression may give, and the rule for each.

What is on no list here is refused, and so is a parameter that a later pandas adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.given import (
    a_count,
    a_flag,
    a_frequency,
    a_function,
    a_number,
    a_reduction,
    a_short_text,
    a_text,
    a_time_zone,
    an_axis,
    any_data,
    dtype_names,
    flags,
    function_or_data,
    keys,
    one_of,
    only_false,
    some_dtype,
)
from gip_nb.tools.reading.kinds import Kind, Refused, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.tools.reading.asked import Asked

__all__ = ["check_parameters"]


def _rules(rule: Callable[[Any], Any], names: str) -> dict[str, Callable[[Any], Any]]:
    return dict.fromkeys(names.split(), rule)


def _counts(value: Any) -> Any:
    if kind_of(value) in {Kind.LIST, Kind.TUPLE} and type(value) is not range:
        if len(value) > _MOST_COUNTS:
            raise Refused(f"is at most {_MOST_COUNTS} numbers")
        return [a_count(one) for one in value]
    return a_count(value)


def _window(value: Any) -> Any:
    return a_count(value) if kind_of(value) is Kind.NUMBER else a_frequency(value)


def _words_or_data(words: str) -> Callable[[Any], Any]:
    known = one_of(words)
    return lambda value: known(value) if kind_of(value) is Kind.TEXT else any_data(value)


def _texts(value: Any) -> Any:
    if kind_of(value) is Kind.TUPLE:
        return tuple(a_text(one) for one in value)
    return a_text(value)


def _function_or(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: value if kind_of(value) in {Kind.LAMBDA, Kind.READER} else rule(value)


_MOST_COUNTS = 20
_FILLS = "ffill bfill pad backfill nearest"
_RULES: dict[str, Callable[[Any], Any]] = {
    **_rules(
        a_flag,
        """
        as_index asof bias bool_only case center convert_boolean convert_floating convert_integer
        convert_string copy deep drop drop_level dropna expand future_stack group_keys ignore_index ignore_na
        adjust include_groups infer_objects left_index right_index margins normalize numeric_only observed
        pct raw replace return_indexer skipna sort sort_remaining verify_integrity allow_duplicates append
        return_counts
        """,
    ),
    **_rules(flags, "ascending"),
    **_rules(only_false, "inplace"),
    **_rules(an_axis, "axis"),
    **_rules(a_count, "n limit min_periods min_count thresh lag ddof random_state step start stop end width"),
    **_rules(_counts, "periods"),
    **_rules(a_number, "frac com span halflife alpha"),
    **_rules(_window, "window"),
    **_rules(a_text, "pat repl sep like sub to_strip date_format fmt format"),
    **_rules(a_short_text, "suffixes suffix prefix lsuffix rsuffix fillchar na_rep margins_name"),
    **_rules(a_frequency, "freq rule offset"),
    **_rules(a_time_zone, "tz"),
    **_rules(some_dtype, "dtype"),
    **_rules(dtype_names, "include exclude"),
    **_rules(
        any_data,
        """
        after before bins by col_fill col_level column columns cond data decimals default end_time fill_value
        i id_vars index indicator indices items key keys labels left left_on level lower mapper na na_value
        name names on other others percentiles q result_name right right_on sorter start_time subset
        target time to_replace tolerance upper value value_name value_vars values var_name weights
        """,
    ),
    **_rules(a_reduction, "func aggfunc"),
    "closed": one_of("left right both neither"),
    "label": one_of("left right"),
    "inclusive": one_of("left right both neither"),
    "side": one_of("left right both"),
    "keep": one_of("first last all", or_false=True),
    "errors": one_of("raise ignore coerce"),
    "how": one_of("left right inner outer cross left_anti right_anti any all start end s e"),
    "join": one_of("left right inner outer"),
    "validate": one_of("1:1 1:m m:1 m:m one_to_one one_to_many many_to_one many_to_many"),
    "method": one_of(f"{_FILLS} pearson kendall spearman average min max first dense single"),
    "fill_method": one_of(_FILLS),
    "limit_area": one_of("inside outside"),
    "interpolation": one_of("linear lower higher midpoint nearest"),
    "kind": one_of("quicksort mergesort heapsort stable"),
    "na_option": one_of("keep top bottom"),
    "na_position": one_of("first last"),
    "na_action": one_of("ignore"),
    "orient": one_of("dict list series split tight records index"),
    "convention": one_of("start end s e"),
    "result_type": one_of("expand reduce"),
    "by_row": one_of("compat", or_false=True),
    "form": one_of("NFC NFKC NFD NFKD"),
    "timespec": one_of("auto hours minutes seconds milliseconds microseconds nanoseconds"),
    "ambiguous": _words_or_data("raise infer NaT"),
    "nonexistent": _words_or_data("raise NaT shift_forward shift_backward"),
    "origin": _words_or_data("epoch start start_day end end_day"),
    "regex": a_flag,
}
# The same names where they mean something else.
_OF_METHOD: dict[tuple[str, str], Callable[[Any], Any]] = {
    **{(method, "index"): a_flag for method in ("memory_usage", "to_dict", "to_frame")},
    **{
        (method, name): function_or_data
        for method in ("rename", "rename_axis")
        for name in ("mapper", "index", "columns")
    },
    ("groupby", "by"): keys,
    ("pivot_table", "index"): keys,
    ("pivot_table", "columns"): keys,
    **{(method, "key"): a_function for method in ("sort_values", "sort_index")},
    ("corr", "method"): _function_or(one_of("pearson kendall spearman")),
    ("corrwith", "method"): _function_or(one_of("pearson kendall spearman")),
    ("map", "arg"): function_or_data,
    ("map", "func"): function_or_data,
    ("map", "mapper"): function_or_data,
    ("filter", "func"): a_function,
    ("filter", "regex"): a_text,
    ("filter", "arg"): any_data,
    ("replace", "regex"): a_flag,
    ("transform", "arg"): a_reduction,
    ("startswith", "pat"): _texts,
    ("endswith", "pat"): _texts,
    ("shift", "suffix"): a_short_text,
}
# Methods whose functions are by name too: new columns, each with what makes it.
_NAMED = frozenset({"agg", "aggregate", "assign"})
# What `agg("mean", numeric_only=True)` passes on.
_PASSED_ON = {"numeric_only": a_flag, "skipna": a_flag, "ddof": a_count, "min_count": a_count, "q": a_number}


def check_parameters(asked: Asked) -> None:
    """See that each argument is one that is read, and put what is to be passed in its place.

    Raises:
        Refused: it is not; says which.
    """
    for name, value in asked.named.items():
        rule = _OF_METHOD.get((asked.name, name)) or _RULES.get(name)
        if rule is None:
            raise Refused(f"{asked.name}(): {name}= is not read")
        asked.named[name] = _ruled(asked, name, rule, value)
    if not asked.more:
        return
    if asked.name not in _NAMED:
        raise Refused(f"{asked.name}(): {', '.join(asked.more)} is not read")
    passed_on = asked.named.get("func") is not None
    named = function_or_data if asked.name == "assign" else _named_reduction(asked)
    for name, value in asked.more.items():
        rule = _PASSED_ON.get(name) if passed_on else named
        if rule is None:
            raise Refused(f"{asked.name}(): {name}= is not read beside a function")
        asked.more[name] = _ruled(asked, name, rule, value)


def _ruled(asked: Asked, name: str, rule: Callable[[Any], Any], value: Any) -> Any:
    if kind_of(value) in {Kind.ITERATOR, Kind.VIEW}:
        raise Refused(f"{asked.name}(): {name} is a list; make one of it")
    try:
        return rule(value)
    except Refused as refused:
        told = str(refused)
        raise Refused(
            f"{asked.name}{told}" if told.startswith("(") else f"{asked.name}(): {name}= {told}"
        ) from None


def _named_reduction(asked: Asked) -> Callable[[Any], Any]:
    """Of total=("column", "sum") the first is a column, where there are columns."""

    def rule(value: Any) -> Any:
        if type(value) is tuple and _has_columns(asked) and len(value) == 2:  # noqa: PLR2004 - column, function
            return any_data(value[0]), a_reduction(value[1])
        return a_reduction(value)

    return rule


def _has_columns(asked: Asked) -> bool:
    data = getattr(asked.of, "_selected_obj", None) if asked.kind in {Kind.GROUPS, Kind.WINDOW} else asked.of
    return kind_of(data) is Kind.FRAME
