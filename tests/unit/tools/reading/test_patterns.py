"""Patterns that may run away are refused; those that people write are not."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.tools.reading.kinds import Refused
from gip_nb.tools.reading.patterns import check_pattern, groups_of


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
    check_pattern(pattern, [50])


@pytest.mark.parametrize(
    "pattern",
    [
        *("(a+)+$", "(a|a)*b", "(a*)*", "((a{0,9}){0,9}){0,9}", "(?:a?){30}", r"(a)\1", "(?=a)b", "(?<!a)b"),
        *("a?a?a?a?a?aaaaa", ".*.*.*.*.*x", "(", "a" * 201, "(?(1)a)", "*"),
    ],
)
def test_what_may_run_away_is_refused(pattern: str) -> None:
    with pytest.raises(Refused):
        check_pattern(pattern, [50])


def test_long_texts_allow_fewer_repeats() -> None:
    check_pattern("a.*b", [1_000])
    with pytest.raises(Refused, match="steps"):
        check_pattern("a.*b", [100_000])
    check_pattern("ab", [100_000])


def test_rows_are_counted_too() -> None:
    check_pattern("a*b", [9_000])
    with pytest.raises(Refused, match="steps"):
        check_pattern("a*b", [9_000] * 20)
    # A single long one among many short ones is no reason.
    check_pattern("a*b", [20] * 100_000 + [9_000])


def test_what_cannot_go_back_is_one_walk() -> None:
    many = [100] * 1_000_000
    for pattern in ("ab", r"\d+", "ab*", "a|b"):
        check_pattern(pattern, many)
    check_pattern("^[a-z]+@", many)
    check_pattern("[a-z]+@", many, at_start=True)
    for pattern in ("[a-z]+@", r"\d+$", "a{50}b", "(ab)*c", "(?m)^a+b"):
        with pytest.raises(Refused):
            check_pattern(pattern, many)
    with pytest.raises(Refused):
        check_pattern("a+b*", many, at_start=True, to_end=True)


def test_branches_multiply() -> None:
    check_pattern("(a|aa)(b|bb)", [50])
    with pytest.raises(Refused, match="steps"):
        check_pattern("(a|aa)" * 30 + "b", [50])


def test_groups_are_counted() -> None:
    assert groups_of("(a)(b)") == 2
    assert groups_of("(?:a)") == 0


def test_a_pattern_is_a_text() -> None:
    with pytest.raises(Refused, match="a pattern is a text"):
        check_pattern(5, [1])


@given(st.text(alphabet="ab(|)*+?{}[],^$.\\0123", max_size=20))
def test_no_pattern_fails_otherwise(pattern: str) -> None:
    with contextlib.suppress(Refused):
        check_pattern(pattern, [20])
