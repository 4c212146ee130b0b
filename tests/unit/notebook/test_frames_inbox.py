"""The microphone's frames: in order, once, holes waited for; what was lost, and what was late."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gip_nb.notebook.frames_inbox import FRAME_BYTES, FRAME_MS, FramesInbox, Late, Lateness, Taken


def frame(number: int) -> bytes:
    return number.to_bytes(2, "little") * (FRAME_BYTES // 2)


def numbers(pcm: list[bytes]) -> list[int]:
    return [int.from_bytes(one[:2], "little") for one in pcm]


def test_frames_are_handed_on_as_they_come() -> None:
    inbox = FramesInbox()
    for number in range(5):
        taken = inbox.take(number, 0, frame(number), 1000.0 + 40 * number)
        assert [f.pcm for f in taken.frames] == [frame(number)]
        assert taken.frames[0].captured_ms == 1000.0 + 40 * number
        assert (taken.lost, taken.filled, taken.repeated) == (0, 0, False)
    assert inbox.next == inbox.until == 5


def test_a_message_of_many_frames_is_cut_and_each_has_its_time() -> None:
    taken = FramesInbox().take(7, 7, b"".join(map(frame, (7, 8, 9))), 500.0)
    assert numbers([f.pcm for f in taken.frames]) == [7, 8, 9]
    assert [f.captured_ms for f in taken.frames] == [500.0, 540.0, 580.0]


def test_a_hole_is_waited_for_and_filled() -> None:
    inbox = FramesInbox()
    inbox.take(0, 0, frame(0), 0)
    assert inbox.take(3, 0, frame(3), 120).frames == ()
    assert (inbox.next, inbox.until) == (1, 3)
    taken = inbox.take(1, 1, frame(1) + frame(2), 40)
    assert numbers([f.pcm for f in taken.frames]) == [1, 2, 3]
    assert (taken.filled, taken.lost) == (2, 0)
    assert inbox.take(2, 2, frame(2), 80).repeated


def test_what_the_page_no_longer_has_is_lost_at_once() -> None:
    inbox = FramesInbox()
    inbox.take(0, 0, frame(0), 0)
    taken = inbox.take(6, 5, frame(6), 240)
    assert (taken.frames, taken.lost, taken.expected) == ((), 4, 1)
    assert (inbox.next, inbox.until) == (5, 6)


def test_a_hole_is_waited_for_as_long_as_the_page_has_what_is_missing() -> None:
    inbox = FramesInbox()
    inbox.take(0, 0, frame(0), 0)
    for number in range(2, 700):
        assert inbox.take(number, 1, frame(number), 40 * number) == Taken(expected=1)
        assert (inbox.next, inbox.until) == (1, 2)
    taken = inbox.take(1, 1, frame(1), 40)
    assert numbers([f.pcm for f in taken.frames]) == list(range(1, 700))
    assert (taken.filled, taken.lost) == (1, 0)


def test_a_hole_is_given_up_once_the_page_has_no_more_of_it() -> None:
    inbox = FramesInbox()
    inbox.take(0, 0, frame(0), 0)
    inbox.take(2, 1, frame(2), 80)
    inbox.take(5, 1, frame(5), 200)
    taken = inbox.take(6, 4, frame(6), 240)
    assert numbers([f.pcm for f in taken.frames]) == [2]
    assert (taken.lost, inbox.next, inbox.until) == (2, 4, 5)


def test_who_is_heard_anew_is_heard_from_what_the_page_still_has() -> None:
    inbox = FramesInbox()
    assert inbox.take(12, 10, frame(12), 0).frames == ()
    assert (inbox.next, inbox.until) == (10, 12)
    # A page that cannot say what it has begins with this.
    assert len(FramesInbox().take(12, 12, frame(12), 0).frames) == 1


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6), st.booleans()), max_size=60),
    st.integers(0, 30),
)
def test_whatever_arrives_is_handed_on_once_in_order_or_counted_as_lost(
    messages: list[tuple[int, int, bool]], base_from: int
) -> None:
    inbox = FramesInbox()
    handed: list[int] = []
    lost = 0
    for place, (seq, count, arrives) in enumerate(messages):
        base = min(seq, place if place >= base_from else 0)
        if arrives:
            taken = inbox.take(seq, base, b"".join(map(frame, range(seq, seq + count))), 0)
            handed += numbers([f.pcm for f in taken.frames])
            lost += taken.lost
            assert inbox.next <= inbox.until
    assert handed == sorted(set(handed))
    if handed:
        assert inbox.next == handed[-1] + 1 or lost
        assert len(handed) + lost >= inbox.next - handed[0]


# ---- late


class Line:
    """Sound that is captured all the time and takes so long to arrive."""

    def __init__(self) -> None:
        self.lateness = Lateness()
        self.now_s = 0.0
        self.found: list[Late] = []

    def speak(self, seconds: float, took_ms: float = 30.0) -> None:
        for _ in range(round(seconds * 25)):
            self.now_s += 0.04
            self.hear(self.now_s - took_ms / 1000)

    def hear(self, captured_s: float, audio_ms: float = FRAME_MS) -> None:
        late = self.lateness.arrived(captured_s * 1000 + 5e11, audio_ms, self.now_s)
        if late is not None:
            self.found.append(late)


def test_sound_that_waited_for_a_cell_is_late_and_told_when_it_is_over() -> None:
    line = Line()
    line.speak(20)
    captured_s = line.now_s
    line.now_s += 60
    for n in range(60 * 25 // 25):
        line.hear(captured_s + n, 1000.0)
    assert line.found == []
    line.speak(1)
    (late,) = line.found
    assert 59_000 < late.ms < 61_000
    assert 57_000 < late.audio_ms <= 60_000
    line.speak(30)
    assert len(line.found) == 1


def test_clocks_that_jump_are_late_for_some_seconds_and_not_for_ever() -> None:
    line = Line()
    line.speak(20)
    line.speak(30, took_ms=3_600_000)
    assert len(line.found) <= 1
    line.speak(10, took_ms=3_600_000)
    assert len(line.found) == 1
    line.speak(10, took_ms=3_600_000 + 200)
    assert len(line.found) == 1


def test_a_talk_that_ends_meanwhile_tells_what_was_late() -> None:
    line = Line()
    line.speak(2)
    line.now_s += 5
    line.hear(line.now_s - 5)
    late = line.lateness.over()
    assert late is not None
    assert late.audio_ms == FRAME_MS
    assert line.lateness.over() is None
    assert line.lateness.arrived(math.nan, 40.0, line.now_s) is None
