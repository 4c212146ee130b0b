"""A page's clock beside the log's, and which microphone frames are worth a row."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.clocks import MARK_SAMPLES, CaptureMarks, PageClock

PAGE_MS = 1_763_000_000_000.0
"""What the page's clock says when the log begins."""
delays = st.floats(0, 0.5)


def exchange(clock: PageClock, at_s: float, down_s: float, up_s: float) -> None:
    clock.observe(at_s, at_s + down_s + up_s, PAGE_MS + (at_s + down_s) * 1000)


@given(st.lists(st.tuples(delays, delays), min_size=1, max_size=30), st.floats(0, 3600))
def test_it_is_never_more_wrong_than_half_its_best_round_trip(
    trips: list[tuple[float, float]], moment_s: float
) -> None:
    clock = PageClock()
    for n, (down_s, up_s) in enumerate(trips):
        exchange(clock, 10.0 * n, down_s, up_s)
    found = clock.to_log_s(PAGE_MS + moment_s * 1000)
    assert found is not None
    assert clock.error_ms is not None
    assert abs(found - moment_s) * 1000 <= clock.error_ms + 1e-3
    assert clock.error_ms == pytest.approx(min(d + u for d, u in trips[-8:]) * 500, abs=1e-6)


def test_one_prompt_answer_of_the_last_eight_is_enough() -> None:
    clock = PageClock()
    for n in range(12):
        exchange(clock, 10.0 * n, 0.004 if n == 9 else 0.3, 0.004 if n == 9 else 0.02)
    assert clock.to_log_s(PAGE_MS + 5000) == pytest.approx(5.0, abs=1e-6)


def test_a_clock_that_is_set_is_followed_when_the_old_exchanges_are_forgotten() -> None:
    clock = PageClock()
    exchange(clock, 0.0, 0.001, 0.001)
    for n in range(8):
        clock.observe(10.0 * n, 10.0 * n + 0.02, PAGE_MS + 60_000 + 10_000.0 * n + 10)
    assert clock.to_log_s(PAGE_MS + 60_000 + 5000) == pytest.approx(5.0, abs=1e-6)


def test_nothing_is_known_before_the_first_answer_or_from_nonsense() -> None:
    clock = PageClock()
    clock.observe(2.0, 1.0, PAGE_MS)
    clock.observe(0.0, 1.0, math.nan)
    clock.observe(0.0, math.inf, PAGE_MS)
    assert clock.to_log_s(PAGE_MS) is None
    assert clock.error_ms is None
    exchange(clock, 0.0, 0.01, 0.01)
    assert clock.to_log_s(math.nan) is None


def test_a_steady_microphone_is_marked_once_a_second() -> None:
    marks = CaptureMarks()
    marked = [n for n in range(250) if marks.wants("p", 960 * n, PAGE_MS + 40 * n + (n % 3))]
    assert marked == list(range(0, 250, MARK_SAMPLES // 960))


@pytest.mark.parametrize(
    ("page", "samples", "late_ms"),
    [("p", 960, 500), ("p", 960, -100), ("q", 960, 0), ("p", 960 + 4800, 0), ("p", 0, 0)],
)
def test_what_does_not_follow_on_is_marked(page: str, samples: int, late_ms: float) -> None:
    marks = CaptureMarks()
    assert marks.wants("p", 0 if samples else 960, PAGE_MS)
    assert marks.wants(page, samples, PAGE_MS + 40 + late_ms)
    assert not marks.wants(page, samples + 960, PAGE_MS + 80 + late_ms)


def test_a_frame_without_a_time_is_not_marked() -> None:
    assert not CaptureMarks().wants("p", 0, math.nan)
