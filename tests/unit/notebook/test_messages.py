"""The examples that both sides of the comm check: here against the kernel's own descriptions of them."""

from __future__ import annotations

import json
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import pytest

from gip_nb.notebook import messages

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def examples(fixtures: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((fixtures / "comm_messages.json").read_text("utf-8"))
    return found


SIDES = {"page_to_kernel": messages.FROM_PAGE, "kernel_to_page": messages.TO_PAGE}


def faults(value: object, kind: Any, where: str = "") -> list[str]:
    """Where a decoded JSON value is not of this type; an empty list if it is."""
    origin = get_origin(kind)
    if origin is NotRequired:
        return faults(value, get_args(kind)[0], where)
    if origin in {UnionType, Union}:
        each = [faults(value, one, where) for one in get_args(kind)]
        return [] if [] in each else [fault for found in each for fault in found]
    if is_typeddict(kind):
        return typed_dict_faults(value, kind, where)
    if origin is list and isinstance(value, list):
        return [f for n, one in enumerate(value) for f in faults(one, get_args(kind)[0], f"{where}[{n}]")]
    return [] if is_plain(value, kind) else [f"{where}: {value!r} is no {kind}"]


def is_plain(value: object, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is Any:
        return True
    wanted: Any = (int, float) if kind is float else get_origin(kind) or kind
    return isinstance(value, wanted) and (kind is bool or not isinstance(value, bool))


def typed_dict_faults(value: object, kind: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: no object"]
    hints = get_type_hints(kind, include_extras=True)
    required = {n for n, hint in hints.items() if get_origin(hint) is not NotRequired}
    missing = [f"{where}.{n} is missing" for n in sorted(required - value.keys())]
    unknown = [f"{where}.{n} is unknown" for n in sorted(value.keys() - hints.keys())]
    inside = [f for n in value.keys() & hints.keys() for f in faults(value[n], hints[n], f"{where}.{n}")]
    return missing + unknown + inside


def every_key(value: object) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for inner in value.values() for key in every_key(inner))}
    return {key for inner in value for key in every_key(inner)} if isinstance(value, list) else set()


@pytest.mark.parametrize("side", SIDES)
def test_every_example_is_of_its_kind(examples: dict[str, Any], side: str) -> None:
    found = [
        (message, fault)
        for message in examples[side]
        for fault in faults(message, SIDES[side][message["kind"]], message["kind"])
        # To the page, a message may be for one page or for all of them.
        if not (fault.startswith(f"{message['kind']}.page:") and side == "kernel_to_page")
    ]
    assert found == []


@pytest.mark.parametrize("side", SIDES)
def test_every_kind_has_an_example(examples: dict[str, Any], side: str) -> None:
    assert {m["kind"] for m in examples[side]} == set(SIDES[side])


def literals(kind: Any, name: str) -> set[object]:
    return set(get_args(get_type_hints(kind)[name]))


def test_every_word_that_is_listed_has_an_example(examples: dict[str, Any]) -> None:
    asked = [m for m in examples["page_to_kernel"] if m["kind"] == "request"]
    assert {m["verb"] for m in asked} == literals(messages.Request, "verb")
    microphone = [m for m in examples["page_to_kernel"] if m["kind"] == "mic_state"]
    assert {m["state"] for m in microphone} == literals(messages.MicrophoneState, "state")
    played = [m for m in examples["page_to_kernel"] if m["kind"] == "playback"]
    assert {m["event"] for m in played} == literals(messages.Playback, "event")
    items = [i for m in examples["kernel_to_page"] for i in [*m.get("items", []), *m.get("put", [])]]
    for name in ("type", "status"):
        assert {i[name] for i in items} == literals(messages.ItemView, name)


def test_a_patch_changes_only_what_the_bar_has(examples: dict[str, Any]) -> None:
    hints = get_type_hints(messages.TalkState, include_extras=True)
    for message in examples["kernel_to_page"]:
        if message["kind"] == "talk":
            assert message["patch"].keys() <= hints.keys()
            assert [f for n, v in message["patch"].items() for f in faults(v, hints[n], n)] == []


def test_no_key_is_called_id(examples: dict[str, Any]) -> None:
    assert "id" not in every_key(examples)
    for kinds in SIDES.values():
        for kind in kinds.values():
            assert "id" not in get_type_hints(kind)


def test_the_kinds_are_what_their_descriptions_say() -> None:
    for kinds in SIDES.values():
        for name, kind in kinds.items():
            assert get_type_hints(kind)["kind"] == Literal[name]
            assert kind.__doc__


def test_messages_with_a_buffer_are_named(examples: dict[str, Any]) -> None:
    assert sorted(examples["with_one_buffer"]) == ["audio", "mic"]


@pytest.mark.parametrize(
    ("value", "kind", "wrong"),
    [
        ({"kind": "hello", "page": "p", "tab": "t", "views": 1, "plays": True}, messages.Hello, 0),
        ({"kind": "hello", "page": "p", "tab": "t", "views": 1}, messages.Hello, 1),
        ({"kind": "hello", "page": "p", "tab": "t", "views": 1, "plays": 1, "id": "x"}, messages.Hello, 2),
        ({"kind": "mic", "page": "p", "seq": True, "base": 0, "captured_at_ms": 1}, messages.Microphone, 1),
        ({"kind": "reply", "page": "p", "request": 1, "ok": True}, messages.Reply, 2),
        (
            {"kind": "reply", "page": "p", "request": 1, "ok": True, "error": {"title": "x"}, "value": None},
            messages.Reply,
            3,
        ),
        ([1], messages.Hello, 1),
    ],
)
def test_the_check_itself_finds_what_is_wrong(value: object, kind: Any, wrong: int) -> None:
    assert len(faults(value, kind)) == wrong
