"""Tables as Parquet files."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from gip_nb.errors import MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["write_tables"]


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write each to `<name>.parquet`.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise MissingExtra("Parquet files", "pyarrow", "arrow")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        plain(table).to_parquet(path, engine="pyarrow")
        files.append(path)
    return files


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """With nothing in it that only this package knows: whoever reads the file may not have it."""
    from gip_nb.journal.columns import strings
    from gip_nb.journal.payloads import PayloadArray

    if "payload" not in table:
        return table
    payload = table["payload"].array
    return table.assign(payload=strings(payload.texts() if isinstance(payload, PayloadArray) else payload))
