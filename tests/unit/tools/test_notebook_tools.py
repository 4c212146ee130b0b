"""The three tools as a talk has them: by name and JSON, on the notebook's own variables."""

from __future__ import annotations

import json
import sys
import types
from typing import Any

import pandas as pd
import pytest

import gip_nb
from gip_nb.errors import BadSetting, MissingExtra
from gip_nb.tools import Toolbox
from gip_nb.tools import notebook_tools as module


def called(names: dict[str, Any] | None, tool: str, **arguments: object) -> str:
    return Toolbox(gip_nb.notebook_tools(names)).call(tool, json.dumps(arguments))


def test_they_are_functions_that_a_talk_takes() -> None:
    schemas = Toolbox(gip_nb.notebook_tools({})).schemas()
    assert [schema["name"] for schema in schemas] == ["list_variables", "describe_dataframe", "evaluate"]
    assert all(schema["description"] for schema in schemas)
    assert schemas[2]["parameters"]["required"] == ["expression"]


def test_what_the_model_gets() -> None:
    names = {"prices": pd.DataFrame({"price": [1.0, 2.5]}), "api_key": "abc"}
    assert "prices: DataFrame, 2 rows x 1 columns: 'price' (float64)" in called(names, "list_variables")
    assert "- price: float64, 0 nulls, min 1" in called(names, "describe_dataframe", name="prices")
    assert called(names, "evaluate", expression="prices.price.sum()") == "3.5"


def test_what_went_wrong_is_told() -> None:
    names = {"prices": pd.DataFrame({"price": [1.0, 2.5]}), "api_key": "abc"}
    assert "there is prices" in called(names, "describe_dataframe", name="price")
    assert "looks like a secret" in called(names, "describe_dataframe", name="api_key")
    assert "not a DataFrame" in called({"x": 1}, "describe_dataframe", name="x")
    assert "is not read" in called(names, "evaluate", expression="prices.to_csv('x')")
    assert "looks like a secret" in called(names, "evaluate", expression="api_key")


def test_the_namespace_is_looked_up_at_each_call() -> None:
    names: dict[str, Any] = {}
    tools = Toolbox(gip_nb.notebook_tools(names))
    assert tools.call("list_variables", "") == "no variables yet"
    names["x"] = 1
    assert tools.call("list_variables", "") == "x: int = 1"


def test_in_a_notebook_it_is_the_users_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = types.SimpleNamespace(
        user_ns={"x": 1, "quit": 2, "In": ["a"], "made": 5, "over": 7}, user_ns_hidden={"made": 5, "over": 6}
    )
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython.core.getipython", ipython)
    # What IPython put there is no variable, until the user gives the name another value.
    assert called(None, "list_variables") == "x: int = 1\nover: int = 7"
    shell.user_ns["y"] = 2
    assert called(None, "evaluate", expression="x + y") == "3"


def test_in_a_program_it_is_the_main_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "IPython.core.getipython", types.SimpleNamespace(get_ipython=lambda: None)
    )
    main = types.ModuleType("__main__")
    main.x = 41  # type: ignore[attr-defined]  # as a program would
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert called(None, "list_variables") == "x: int = 41"
    monkeypatch.delitem(sys.modules, "IPython.core.getipython")
    assert called(None, "evaluate", expression="x + 1") == "42"


def test_without_the_package_the_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra) as missing:
        gip_nb.notebook_tools()
    assert 'pip install "gip_nb[tools]"' in str(missing.value)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadSetting, match="pass a dict"):
        gip_nb.notebook_tools([1])  # type: ignore[arg-type]  # what a user may try
    with pytest.raises(BadSetting, match="more than 0"):
        gip_nb.notebook_tools({}, timeout_s=0)


def test_a_refusal_is_told_to_the_model_without_lines_of_this_package() -> None:
    box = Toolbox(gip_nb.notebook_tools({"sales": pd.DataFrame({"units": [1, 2]})}))
    refused = box.run("evaluate", '{"expression": "sales.to_csv(\'x\')"}')
    assert refused.text.startswith("error: Refused: .to_csv")
    assert "raise" not in refused.text
