"""Outputs of cells: the one place that publishes any, from whichever thread, in a cell and after its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Bundle", "front_end", "publish", "rich_bundle"]

Bundle = dict[str, Any]
"""An output by MIME type."""


def front_end() -> Any | None:  # noqa: ANN401 - IPython has no types
    """The shell of a kernel whose outputs somebody may show; None in a terminal, a script or a test."""
    try:
        from IPython.core.displaypub import DisplayPublisher
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    shell: Any = get_ipython()
    # IPython's own only prints.
    return None if shell is None or type(shell.display_pub) is DisplayPublisher else shell


def publish(
    shell: Any,  # noqa: ANN401 - as above
    data: Mapping[str, Any],
    *,
    display_id: str | None = None,
    update: bool = False,
) -> None:
    """Publish an output, or change the one with this id wherever it stands.

    In a cell it is that cell's. A change finds its output by the id, in a page that was there when the output
    came; from another thread it may come at any time.
    """
    transient = {} if display_id is None else {"display_id": display_id}
    shell.display_pub.publish(data=dict(data), metadata={}, transient=transient, update=update)


def rich_bundle(
    shell: Any,  # noqa: ANN401 - as above
    value: object,
) -> tuple[Bundle, dict[str, Any]]:
    """What a cell would show of a value, and its metadata; empty where that is text, or shown already."""
    data, metadata = shell.display_formatter.format(value)
    if set(data) <= {"text/plain"}:
        return {}, {}
    return dict(data), dict(metadata)
