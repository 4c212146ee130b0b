"""The microphone's frames on this side: what the page is told, and which rows are written."""

from __future__ import annotations

from typing import Any

from gip_nb.notebook.frames_inbox import FRAME_BYTES
from gip_nb.notebook.hearing import Hearing


class Line:
    """A page that speaks, a clock that is set by hand, and what came of it."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.told: list[tuple[int, int]] = []
        self.rows: list[dict[str, Any]] = []
        self.heard: list[int] = []
        self.hearing = Hearing(self._post, lambda: self.now_s)
        self.hearing.begin(self._note)

    def _post(self, content: dict[str, Any]) -> None:
        assert content["kind"] == "heard"
        assert content["page"] == "p"
        self.told.append((content["next"], content["until"]))

    def _note(self, what: str, **fields: Any) -> None:
        self.rows.append({"what": what, **fields})

    def say(self, seq: int, count: int = 1, *, base: int = 0, waited_s: float = 0.0) -> None:
        pcm = b"".join(bytes([n % 256, 0]) * (FRAME_BYTES // 2) for n in range(seq, seq + count))
        captured_ms = (self.now_s - waited_s) * 1000
        content = {"kind": "mic", "page": "p", "seq": seq, "base": base, "captured_at_ms": captured_ms}
        self.heard += [frame.pcm[0] for frame in self.hearing.frames(content, pcm)]

    def speak(self, count: int) -> None:
        start = len(self.heard)
        for number in range(start, start + count):
            self.now_s += 0.04
            self.say(number, base=max(0, number - 10))


def test_the_page_hears_of_its_frames_every_04_s_and_no_more() -> None:
    line = Line()
    line.speak(100)
    assert line.heard == list(range(100))
    assert line.rows == []
    assert 9 <= len(line.told) <= 11
    assert all(upto == until for upto, until in line.told)


def test_what_is_lost_is_asked_for_and_its_coming_is_a_row() -> None:
    line = Line()
    line.speak(5)
    line.say(8)
    assert line.told[-1] == (5, 8)
    line.say(5, 3)
    assert line.told[-1] == (9, 9)
    assert line.heard == list(range(9))
    assert line.rows == [{"what": "resend", "stream": "microphone", "frames": 3, "page": "p"}]
    # What it says twice has not been heard to be here: it is told again.
    told = len(line.told)
    line.say(8)
    assert len(line.told) == told + 1


def test_a_kernel_that_was_held_up_tells_what_was_late_and_what_was_lost_in_one_row_each() -> None:
    line = Line()
    line.speak(50)
    line.now_s += 60
    # What was on its way, three knocks without sound, and then what the page has kept.
    line.say(50, 50, base=50, waited_s=60)
    for base in (300, 500, 800):
        line.say(base, 0, base=base)
    line.say(800, 25, base=800, waited_s=30)
    assert [row["what"] for row in line.rows] == ["mic.gap"]
    assert line.rows[0]["missing"] == 700
    assert line.rows[0]["missing_ms"] == 28_000
    line.say(825, base=825)
    late = line.rows[1]
    assert late["what"] == "mic.late"
    assert 59_000 < late["late_ms"] < 61_000
    assert late["late_audio_ms"] == 3000
    assert len(line.heard) == 50 + 50 + 25 + 1


def test_who_ends_while_held_up_has_it_in_the_log() -> None:
    line = Line()
    line.speak(50)
    line.now_s += 10
    line.say(50, 5, base=50, waited_s=10)
    line.say(90, 0, base=90)
    line.hearing.end()
    assert [row["what"] for row in line.rows] == ["mic.gap", "mic.late"]
    line.hearing.end()
    assert len(line.rows) == 2


def test_what_is_no_frame_is_left_aside() -> None:
    line = Line()
    for seq in (None, "1", True, 1.5):
        assert line.hearing.frames({"kind": "mic", "page": "p", "seq": seq}, bytes(FRAME_BYTES)) == ()
    assert line.told == []


# ---- who is not heard any more -----------------------------------------------------------------------------


def says_what_there_was(line: Line, frames: int, ago_s: float = 0.0) -> None:
    """The page's last word: so many frames were captured, the last of them so long ago."""
    captured_ms = (line.now_s - 0.01 - ago_s) * 1000
    content = {"kind": "mic", "page": "p", "seq": frames, "base": frames, "captured_at_ms": captured_ms}
    line.hearing.left(content)


def speaks_in_time(line: Line, frames: int) -> None:
    """Each frame is here 10 ms after its first sample was captured."""
    for _ in range(frames):
        line.say(len(line.heard), base=len(line.heard), waited_s=0.01)
        line.now_s += 0.04


def test_what_a_page_had_kept_when_it_was_left_is_a_row_once() -> None:
    line = Line()
    speaks_in_time(line, 50)
    # It is held up for 10 s; then another page is heard; that is told to it half a second later.
    line.now_s += 10
    line.hearing.end()
    assert line.rows == []
    line.now_s += 0.5
    says_what_there_was(line, 50 + 250 + 12)
    (gap,) = line.rows
    assert gap["what"] == "mic.gap"
    assert (gap["expected_seq"], gap["page"]) == (50, "p")
    assert 248 <= gap["missing"] <= 250
    assert gap["missing_ms"] == 40 * gap["missing"]
    says_what_there_was(line, 50 + 250 + 12)
    assert len(line.rows) == 1


def test_what_was_on_its_way_or_came_later_is_no_loss() -> None:
    line = Line()
    speaks_in_time(line, 50)
    line.hearing.end()
    # A kernel that is held up tells it only after a minute.
    line.now_s += 60
    says_what_there_was(line, 50 + 1502)
    # It was heard for a while, and says more later.
    line.hearing.begin(line._note)
    line.say(1552, base=1552, waited_s=0.01)
    line.hearing.end()
    says_what_there_was(line, 1554)
    assert line.rows == []


def test_a_page_that_is_heard_again_before_it_has_said_what_became_of_the_rest() -> None:
    line = Line()
    speaks_in_time(line, 50)
    line.now_s += 10
    line.hearing.end()
    rows: list[str] = []
    line.hearing.begin(lambda what, **_: rows.append(what))
    line.say(300, base=300, waited_s=0.01)
    assert [row["what"] for row in line.rows] == ["mic.gap"], "a row of the session that it was said to"
    assert 248 <= line.rows[0]["missing"] <= 250
    assert rows == []


def test_of_a_page_that_nobody_has_heard_nothing_is_known() -> None:
    line = Line()
    says_what_there_was(line, 500)
    line.hearing.end()
    says_what_there_was(line, 500)
    line.hearing.left({"kind": "mic", "page": "p", "base": None})
    assert line.rows == []
