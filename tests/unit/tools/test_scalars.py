"""pandas' and numpy's own scalars as hints: checked, and made into what the hint says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest

from gip_nb.errors import BadSetting
from gip_nb.tools.schema import Unusable, arguments_of, schema_of
from tests.unit.tools.test_enums import of_hint, told


def read(hint: Any, given: Any) -> Any:
    return arguments_of(of_hint(hint), json.dumps({"x": given})).by_name["x"]


DATE = {"type": "string", "format": "date-time"}
INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("hint", "schema", "given", "found"),
    [
        (pd.Timestamp, DATE, "2026-01-02T03:00:00", pd.Timestamp("2026-01-02 03:00")),
        (pd.Timestamp, DATE, "2026-01-02", pd.Timestamp("2026-01-02")),
        (pd.Timestamp, DATE, "2026-01-02T03:00:00+09:00", pd.Timestamp("2026-01-02 03:00+09:00")),
        (pd.Timedelta, {"type": "string", "format": "duration"}, "PT90S", pd.Timedelta(seconds=90)),
        (np.float64, {"type": "number"}, "1.5", np.float64(1.5)),
        (np.float32, {"type": "number"}, 3, np.float32(3)),
        (np.int64, INTEGER, 2**62, np.int64(2**62)),
        (np.uint8, INTEGER, "255", np.uint8(255)),
        (np.bool_, {"type": "boolean"}, True, np.True_),
        (list[np.int64], {"type": "array", "items": INTEGER}, [1], [np.int64(1)]),
        (dict[str, pd.Timestamp], {"type": "object", "additionalProperties": DATE}, {}, {}),
        (
            Annotated[pd.Timestamp, "when"],
            {**DATE, "description": "when"},
            "2026-01-02",
            pd.Timestamp("2026-01-02"),
        ),
        (pd.Timestamp | None, {"anyOf": [DATE, {"type": "null"}]}, None, None),
        (np.int64 | str, {"anyOf": [INTEGER, {"type": "string"}]}, "a", "a"),
    ],
    ids=str,
)
def test_a_scalar_as_hint(hint: Any, schema: dict[str, Any], given: Any, found: Any) -> None:
    assert told(hint) == schema
    assert read(hint, given) == found
    assert type(read(hint, given)) is type(found)


@pytest.mark.parametrize(
    ("default", "shown"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.True_, True),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
    ],
)
def test_defaults_are_told(default: Any, shown: object) -> None:
    assert told(type(default), default)["default"] == shown


@pytest.mark.parametrize(
    ("hint", "given", "why"),
    [
        (np.int64, 1.5, "x: Input should be a valid integer"),
        (np.uint8, 256, "x: Value error, 256 does not fit into uint8"),
        (np.int64, 2**63, "does not fit into int64"),
        (np.float32, 1e300, "does not fit into float32"),
        (pd.Timestamp, "soon", "x: Input should be a valid datetime"),
        (np.bool_, "maybe", "x: Input should be a valid boolean"),
    ],
    ids=str,
)
def test_what_is_none_is_told_so(hint: Any, given: Any, why: str) -> None:
    with pytest.raises(Unusable) as caught:
        read(hint, given)
    assert why in str(caught.value)


@pytest.mark.parametrize("hint", [np.floating, np.integer, np.ndarray, pd.DataFrame, pd.Series])
def test_what_is_no_scalar_is_refused_as_before(hint: Any) -> None:
    with pytest.raises(BadSetting, match="no JSON for its argument 'x'"):
        schema_of(of_hint(hint))


def test_nothing_is_imported_for_it() -> None:
    source = (
        "import sys\nfrom gip_nb.tools.schema import schema_of\n"
        "def f(x: float, y=3): ...\nschema_of(f)\n"
        "print(sorted({'numpy', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
