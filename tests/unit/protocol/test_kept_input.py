"""What is said while there is no connection: the newest of it, and whole utterances."""

from __future__ import annotations

from gip_nb.protocol.kept_input import KeptInput, Sound
from gip_nb.protocol.requests import Request

MS = 48


def sound(ms: int, *, sent: bool = False, said: bool = True) -> Sound:
    return Sound(bytes(ms * MS), sent=sent, said=said)


def test_the_oldest_goes_first_and_is_counted_where_somebody_spoke() -> None:
    kept = KeptInput(0.3)
    kept.add(sound(100, sent=True, said=False))
    kept.add(sound(100, sent=True))
    kept.add(sound(100))
    assert kept.lost_samples == 0
    assert kept.resent_samples == 200 * 24
    assert kept.said_samples == 200 * 24
    kept.add(sound(100))
    assert (kept.lost_samples, kept.resent_samples) == (0, 100 * 24)
    kept.add(sound(100))
    assert (kept.lost_samples, kept.resent_samples) == (100 * 24, 0)
    assert kept.tail_samples == 300 * 24


def test_an_utterance_that_nobody_waits_for_goes_and_those_around_it_stay() -> None:
    kept = KeptInput(0.1)
    requests = [Request("input_audio_buffer.commit") for _ in range(3)]
    for ms, request in zip((10, 20, 30), requests, strict=True):
        kept.add(sound(ms))
        kept.commit(request)
    kept.add(sound(40))
    kept.withdraw(requests[1])
    kept.withdraw(requests[1])
    kept.withdraw(Request("input_audio_buffer.commit"))
    pieces = [p.samples // 24 if isinstance(p, Sound) else p for p in kept.pieces]
    assert pieces == [10, requests[0], 30, requests[2], 40]


def test_an_utterance_that_was_committed_is_kept_whole() -> None:
    kept = KeptInput(0.1)
    request = Request("input_audio_buffer.commit")
    kept.add(sound(100))
    kept.commit(request)
    kept.add(sound(100))
    kept.add(sound(50))
    lengths = [p.samples // 24 if isinstance(p, Sound) else p for p in kept.pieces]
    assert lengths == [100, request, 50]
    kept.clear()
    assert kept.tail_samples == 0
    assert len(kept.pieces) == 2


def test_one_piece_longer_than_all_that_is_kept() -> None:
    kept = KeptInput(0.1)
    kept.add(sound(200))
    assert (kept.tail_samples, kept.lost_samples) == (0, 200 * 24)


def test_what_a_commit_follows_is_not_bounded() -> None:
    kept = KeptInput(0.1)
    request = Request("input_audio_buffer.commit")
    kept.add(sound(100), bounded=False)
    kept.add(sound(100), bounded=False)
    kept.commit(request)
    assert request.kept
    assert kept.lost_samples == 0
    assert [p.samples // 24 if isinstance(p, Sound) else p for p in kept.pieces] == [100, 100, request]
