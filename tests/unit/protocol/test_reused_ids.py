"""A server that counts its responses and items from one on each connection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gip_nb.journal.tables import Tables
from gip_nb.protocol.outputs import Play
from tests.unit.protocol.pair import Player, ProtocolPair, check_log
from tests.unit.protocol.talks import ask, utter

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect


class Counting(ProtocolPair):
    """The server's own ids, which the pair keeps apart, are written as if each began at one."""

    def __init__(self, dialect: Dialect = "ga", player: Player | None = None) -> None:
        self._first: dict[str, int] = {}
        super().__init__(dialect, player)

    def receive(self, data: bytes) -> None:
        told = json.loads(data, object_hook=self._counted)
        super().receive(json.dumps(told).encode())

    def _counted(self, part: dict[str, object]) -> dict[str, object]:
        for name in ("id", "item_id", "response_id", "previous_item_id"):
            value = part.get(name)
            kind, _, number = str(value).rpartition("_")
            if kind in {"resp", "item"} and number.isdigit():
                key = f"{self.connections} {kind} {number}"
                count = sum(k.startswith(f"{self.connections} {kind} ") for k in self._first)
                self._first.setdefault(key, count + 1)
                part[name] = f"{kind}_n{self._first[key]}"
        return part


@pytest.mark.parametrize("dialect", ["beta", "ga"])
def test_the_second_answer_is_one_of_its_own(dialect: Dialect) -> None:
    pair = Counting(dialect)
    first = ask(pair, "one")
    pair.run()
    pair.cut()
    # Words without ids that clash: what is given is what this side has named.
    pair.mend()
    pair.outputs.clear()
    second = ask(pair, "two")
    pair.run()
    conversation = pair.client.conversation
    assert (first.done, second.done, second.failure) == (True, True, None)
    assert not pair.client.answering
    assert [t.requests for t in conversation.turns] == [1, 1]
    assert list(conversation.responses) == ["resp_n1_c1", "resp_n1"]
    said = [i for i in conversation.items.values() if i.role == "assistant" and i.response_id]
    assert [i.response_id for i in said] == ["resp_n1_c1", "resp_n1"]
    assert [conversation.texts(turn, "assistant") for turn in conversation.turns] == [i.text for i in said]
    assert pair.outputs_of(Play)[0].start_sample == 0
    check_log(pair.log, conversation)
    assert Tables(pair.log).turns().requests.tolist() == [1, 1]


def test_two_utterances_by_one_id_are_two_turns() -> None:
    pair = Counting("ga")
    utter(pair)
    pair.run()
    pair.cut()
    pair.mend()
    utter(pair)
    pair.run()
    conversation = pair.client.conversation
    assert len(conversation.turns) == 2
    spoken = [i for i in conversation.items.values() if i.role == "user"]
    assert len(spoken) == 2
    assert [i.turn for i in spoken] == [1, 2]
    assert [t.requests for t in conversation.turns] == [1, 1]
    check_log(pair.log, conversation)
