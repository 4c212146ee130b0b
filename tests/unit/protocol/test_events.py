"""The tables of events beside the published list."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gip_nb.protocol.dialects import canonical_type, wire_type
from gip_nb.protocol.events import ALIASES, BETA, CLIENT_EVENTS, FIELD_TYPES, GA, SERVER_EVENTS, Dialect

PUBLISHED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "events.json").read_text(encoding="utf-8")
)
SPECS = {"client": CLIENT_EVENTS, "server": SERVER_EVENTS}
DIALECTS: tuple[Dialect, ...] = (BETA, GA)
EVERY_EVENT = [
    pytest.param(dialect, side, wire, fields, id=f"{dialect}-{wire}")
    for dialect in DIALECTS
    for side in SPECS
    for wire, fields in PUBLISHED[dialect][side].items()
]
PYTHON_TYPES = {"str": str, "int": int, "float": float}


@pytest.mark.parametrize(("dialect", "side", "wire", "fields"), EVERY_EVENT)
def test_published_event_has_its_row(
    dialect: Dialect, side: str, wire: str, fields: dict[str, dict[str, Any]]
) -> None:
    spec = SPECS[side][canonical_type(wire)]
    assert set(spec.required_in(dialect)) == {name for name, field in fields.items() if field["required"]}
    assert set(spec.optional_in(dialect)) == {name for name, field in fields.items() if not field["required"]}


@pytest.mark.parametrize(("dialect", "side", "wire", "fields"), EVERY_EVENT)
def test_field_types_are_the_published_ones(
    dialect: Dialect, side: str, wire: str, fields: dict[str, dict[str, Any]]
) -> None:
    for name, field in fields.items():
        published = field["type"].removesuffix(" | null")
        expected = PYTHON_TYPES.get(published, list if published.startswith("[") else dict)
        assert FIELD_TYPES[name] is expected, f"{wire}.{name}"
        if not field["required"]:
            assert field["type"].endswith("| null"), f"{wire}.{name}: FIELD_TYPES says that it may be null"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("side", SPECS)
def test_no_row_is_made_up(dialect: Dialect, side: str) -> None:
    published = set(PUBLISHED[dialect][side]) - set(ALIASES)
    if dialect == BETA:
        published |= {"conversation.item.created"} & set(PUBLISHED[BETA][side])
    rows = SPECS[side]
    ours = {spec.beta for spec in rows.values()} - {None} if dialect == BETA else set(rows)
    assert ours == published


def test_no_beta_name_serves_two_events() -> None:
    for rows in SPECS.values():
        named = [spec.beta for spec in rows.values() if spec.beta is not None]
        assert len(named) == len(set(named))


def test_no_field_without_a_type_and_no_type_without_a_field() -> None:
    specs = [spec for rows in SPECS.values() for spec in rows.values()]
    used = {field for spec in specs for field in spec.required + spec.optional}
    assert used == set(FIELD_TYPES)


def test_ga_only_fields_are_fields() -> None:
    for rows in SPECS.values():
        for spec in rows.values():
            assert set(spec.ga_only) <= set(spec.required + spec.optional)


def test_names_go_there_and_back() -> None:
    for rows in SPECS.values():
        for canonical, spec in rows.items():
            assert canonical_type(canonical) == canonical
            assert wire_type(canonical, GA) == canonical
            if spec.beta is not None:
                assert wire_type(canonical, BETA) == spec.beta
                assert canonical_type(spec.beta) == canonical


@pytest.mark.parametrize("module", ["events", "dialects", "usage"])
def test_import_is_light(module: str) -> None:
    heavy = {"openai", "IPython", "anywidget", "pandas", "numpy", "asyncio", "threading", "socket"}
    code = f"import gip_nb.protocol.{module}, sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert heavy.isdisjoint(done.stdout.split())
