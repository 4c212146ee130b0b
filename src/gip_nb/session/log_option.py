"""Where a session writes its log, and how large that may grow: `log` and `log_limit_bytes`. Pure."""

from __future__ import annotations

import operator
import os
from pathlib import Path

from gip_nb.errors import BadSetting
from gip_nb.journal.disk_log import LEAST_LIMIT_BYTES

__all__ = ["DEFAULT_LIMIT_BYTES", "read_limit", "read_log"]

# Eleven hours of microphone, or five of duplex talk.
DEFAULT_LIMIT_BYTES = 2 * 2**30


def read_log(given: object, from_environment: str | None) -> Path | None:
    """The folder in which each session makes its own; None where nothing is written.

    Args:
        given: a path; False for none, whatever the environment says; None leaves it to that.
        from_environment: what `GIP_LOG` says.

    Raises:
        BadSetting: it is no path.
    """
    if given is False:
        return None
    if given is None:
        given = from_environment or None
        if given is None:
            return None
    if not isinstance(given, str | os.PathLike) or not str(given).strip():
        raise BadSetting(
            f"log is {given!r}",
            "give the folder in which sessions are to be written, log='runs/'; False writes none.",
        )
    # Absolute: a cell may change the working directory before Start is pressed.
    return Path(given).expanduser().absolute()


def read_limit(given: object) -> int:
    """How many bytes a session's folder may hold; None is the usual limit.

    Raises:
        BadSetting: it is no such number.
    """
    if given is None:
        return DEFAULT_LIMIT_BYTES
    try:
        number = operator.index(given)  # type: ignore[arg-type]  # what is none raises
    except TypeError:
        number = -1
    if isinstance(given, bool) or number < LEAST_LIMIT_BYTES:
        raise BadSetting(
            f"log_limit_bytes is {given!r}",
            f"give a whole number of bytes, {LEAST_LIMIT_BYTES:,} or more; the usual limit is 2 GiB.",
        )
    return number
