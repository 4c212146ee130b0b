"""Patterns that may run away are refused; those that people write are not."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.tools.reading.kinds import Refused
from gip_nb.tools.reading.patterns import check_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "abc",
        "^a",
        r"\d+",
        r"^\w+@\w+\.com$",
        "a|b",
        "[A-Z]{3}",
        "(ab)?c",
        r"\$[0-9,]+",
        "",
        "(?i)rome",
        "(a)(b)",
    ],
)
def test_plain_patterns_are_taken(pattern: str) -> None:
    check_pattern(pattern, 50)


@pytest.mark.parametrize(
    "pattern",
    [
        *("(a+)+$", "(a|a)*b", "(a*)*", "((a{0,9}){0,9}){0,9}", "(?:a?){30}", r"(a)\1", "(?=a)b", "(?<!a)b"),
        *("a?a?a?a?a?aaaaa", ".*.*.*.*.*x", "(", "a" * 201, "(?(1)a)", "*"),
    ],
)
def test_what_may_run_away_is_refused(pattern: str) -> None:
    with pytest.raises(Refused):
        check_pattern(pattern, 50)


def test_long_texts_allow_fewer_repeats() -> None:
    check_pattern("a.*b", 1_000)
    with pytest.raises(Refused, match="100,000 characters"):
        check_pattern("a.*b", 100_000)
    check_pattern("ab", 100_000)


def test_a_pattern_is_a_text() -> None:
    with pytest.raises(Refused, match="a pattern is a text"):
        check_pattern(5, 1)


@given(st.text(alphabet="ab(|)*+?{}[],^$.\\0123", max_size=20))
def test_no_pattern_fails_otherwise(pattern: str) -> None:
    with contextlib.suppress(Refused):
        check_pattern(pattern, 20)
