"""Answers on their way: cut into messages, acknowledged, sent again, taken over by another page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gip_nb.notebook.delivery import AudioMessage, Delivery

MS = 48
"""Bytes of a millisecond."""


class Listener:
    """A page: what it has of each item, and up to which number it has everything."""

    def __init__(self) -> None:
        self.sound: dict[str, dict[int, bytes]] = {}
        self.ended: set[str] = set()
        self._had: set[int] = set()

    def hear(self, message: AudioMessage) -> None:
        self._had.add(message.seq)
        if message.audio:
            self.sound.setdefault(message.item_id, {})[message.start_sample] = message.audio
        if message.last:
            self.ended.add(message.item_id)

    @property
    def acked(self) -> int:
        acked = -1
        while acked + 1 in self._had:
            acked += 1
        return acked

    def whole(self, item_id: str, start_sample: int = 0) -> bytes:
        found = b""
        for start, audio in sorted(self.sound.get(item_id, {}).items()):
            assert start == start_sample + len(found) // 2, "a hole, or twice"
            found += audio
        return found


def sound(ms: int, seed: int = 0) -> bytes:
    return bytes((i * 7 + seed) % 251 for i in range(ms * MS))


def everything(delivery: Delivery, at_s: float = 0.0) -> list[AudioMessage]:
    found = []
    while (message := delivery.take(at_s)) is not None:
        found.append(message)
    return found


@given(
    st.lists(st.tuples(st.integers(1, 700), st.booleans()), min_size=1, max_size=12),
    st.sets(st.integers(0, 200)),
    st.sets(st.integers(0, 200)),
)
def test_whatever_is_lost_arrives_whole_in_the_end(
    pieces: list[tuple[int, bool]], lost: set[int], lost_again: set[int]
) -> None:
    delivery, listener = Delivery(), Listener()
    wanted: dict[str, bytes] = {}
    item, start = 0, 0
    posted: list[AudioMessage] = []
    for n, (ms, ends) in enumerate(pieces):
        name, pcm = f"item_{item}", sound(ms, n)
        delivery.add(name, 0, start, pcm)
        wanted[name] = wanted.get(name, b"") + pcm
        start += len(pcm) // 2
        if ends or n == len(pieces) - 1:
            delivery.end(name, 0, start)
            item, start = item + 1, 0
        posted += everything(delivery)
    for n, message in enumerate(posted):
        if n not in lost:
            listener.hear(message)
    at_s, n = 0.0, 0
    while delivery.unacknowledged:
        at_s += 1.0
        assert at_s < 1000, "it never ends"
        delivery.acknowledge(listener.acked)
        for message in delivery.overdue(at_s):
            if n not in lost_again:
                listener.hear(message)
            n += 1
    assert {name: listener.whole(name) for name in wanted} == wanted
    assert listener.ended == set(wanted)
    assert [m.seq for m in posted] == list(range(len(posted)))
    assert all(len(m.audio) >= 100 * MS for m in posted if not m.last)


def test_what_was_just_sent_is_not_overdue_and_what_was_sent_again_waits_too() -> None:
    delivery = Delivery()
    delivery.add("a", 0, 0, sound(200))
    everything(delivery, 10.0)
    assert delivery.overdue(10.4) == []
    assert [m.seq for m in delivery.overdue(10.6)] == [0]
    assert delivery.overdue(11.0) == []
    assert [m.seq for m in delivery.overdue(11.2)] == [0]


def test_many_that_were_lost_come_back_in_portions() -> None:
    delivery = Delivery()
    for n in range(50):
        delivery.add("a", 0, n * 2400, sound(100))
        everything(delivery)
    assert [m.seq for m in delivery.overdue(1.0)] == list(range(10))
    assert [m.seq for m in delivery.overdue(1.1)] == list(range(10, 20))


def test_another_page_gets_what_was_not_played_numbered_from_0() -> None:
    delivery = Delivery()
    delivery.add("a", 0, 0, sound(1000, 1))
    delivery.end("a", 0, 24_000)
    delivery.add("b", 0, 0, sound(300, 2))
    everything(delivery)
    delivery.played("a", 12_345)
    delivery.restart()
    listener = Listener()
    messages = everything(delivery)
    for message in messages:
        listener.hear(message)
    assert [m.seq for m in messages] == [0, 1]
    assert listener.whole("a", 12_345) == sound(1000, 1)[12_345 * 2 :]
    assert listener.whole("b") == sound(300, 2)
    assert listener.ended == {"a"}


def test_what_was_played_to_its_end_is_forgotten() -> None:
    delivery = Delivery()
    delivery.add("a", 0, 0, sound(500))
    delivery.end("a", 0, 12_000)
    everything(delivery)
    delivery.acknowledge(0)
    assert delivery.unplayed_samples == 12_000
    delivery.played("a", 11_900, ended=True)
    assert delivery.unplayed_samples == 0
    delivery.restart()
    assert everything(delivery) == []


def test_after_a_flush_nothing_is_played_and_no_number_is_missing_for_ever() -> None:
    delivery, listener = Delivery(), Listener()
    delivery.add("a", 0, 0, sound(250))
    everything(delivery)
    delivery.drop()
    assert not delivery.due
    delivery.add("b", 0, 0, sound(100))
    for message in everything(delivery):
        listener.hear(message)
    delivery.acknowledge(listener.acked)
    for message in delivery.overdue(1.0):
        listener.hear(message)
    delivery.acknowledge(listener.acked)
    assert delivery.unacknowledged == 0
    assert "a" not in listener.sound


def test_an_item_without_sound_is_just_its_end() -> None:
    delivery = Delivery()
    delivery.end("a", 0, 0)
    (message,) = everything(delivery)
    assert (message.audio, message.last) == (b"", True)


def test_an_item_that_another_follows_is_complete() -> None:
    delivery = Delivery()
    delivery.add("a", 0, 0, sound(30))
    delivery.add("b", 0, 0, sound(130))
    assert [(m.item_id, m.last) for m in everything(delivery)] == [("a", True), ("b", False)]
