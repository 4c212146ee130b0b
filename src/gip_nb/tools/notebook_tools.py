"""Tools that let the model look at the notebook's variables, and at nothing else: `notebook_tools()`.

They read: what is in `reading` decides what, and changes nothing. This file finds the notebook.
"""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gip_nb.errors import BadSetting, MissingExtra
from gip_nb.tools.reading.evaluation import evaluate
from gip_nb.tools.reading.frames import described
from gip_nb.tools.reading.kinds import Refused
from gip_nb.tools.reading.near import near
from gip_nb.tools.reading.secrets import is_secret_name
from gip_nb.tools.reading.variables import listed, users_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["notebook_tools"]


def notebook_tools(
    namespace: Mapping[str, object] | None = None, *, timeout_s: float = 10.0
) -> list[Callable[..., Any]]:
    """Three tools for `talk(tools=...)`: list variables, describe a DataFrame, evaluate an expression.

    All of them only read. `evaluate` takes one expression of pandas, numpy and plain Python; it cannot
    assign, import, write a file, call a function of yours or reach an object that is no data. What looks like
    a secret by its name (key, token, password, secret) or form (`sk-...`) is held back; what else is in the
    notebook, the model may see.

    A limit of sizes refuses what would grow out of proportion. A single operation that takes long all the
    same (sorting ten million texts) is not stopped, as no thread can be, and holds up the cells meanwhile.

    Args:
        namespace: where variables are looked up; None is the notebook this runs in, at the time of each call.
        timeout_s: how long an expression may take, looked at between its operations.

    Returns:
        Functions; put your own beside them: `tools=[*notebook_tools(), mine]`.

    Raises:
        MissingExtra: RestrictedPython is not installed.
        BadSetting: the namespace is no mapping, or the time is none.
    """
    if find_spec("RestrictedPython") is None:
        raise MissingExtra("notebook_tools()", "RestrictedPython", "tools")
    if namespace is not None and not hasattr(namespace, "keys"):
        raise BadSetting(
            f"notebook_tools(namespace={type(namespace).__name__})", "pass a dict of variables, or nothing."
        )
    if not timeout_s > 0:
        raise BadSetting(f"notebook_tools(timeout_s={timeout_s!r})", "pass seconds, more than 0.")
    notebook = _Notebook(namespace, timeout_s)
    return [notebook.list_variables, notebook.describe_dataframe, notebook.evaluate]


class _Notebook:
    """The variables of a notebook, read from a worker thread while cells run."""

    def __init__(self, namespace: Mapping[str, object] | None, timeout_s: float) -> None:
        self._namespace = namespace
        self._timeout_s = timeout_s

    def _variables(self) -> dict[str, object]:
        if self._namespace is not None:
            return users_variables(self._namespace)
        return users_variables(*_live_namespace())

    def list_variables(self) -> str:
        """List the variables of the user's notebook: name, type, size, and a short value. Call this first."""
        return listed(self._variables())

    def describe_dataframe(self, name: str) -> str:
        """Describe a DataFrame or Series of the user's notebook.

        Tells its shape, and of each column the dtype, the number of nulls and how its values spread; then its
        first rows.

        Args:
            name: of a variable, as `list_variables` gives it.
        """
        variables = self._variables()
        if name not in variables:
            alike = near(name, variables)
            raise Refused(
                f"there is no variable {name!r}" + (f"; there is {', '.join(alike)}" if alike else "")
            )
        if is_secret_name(name):
            raise Refused(f"{name} is not read: by its name it looks like a secret")
        return described(name, variables[name])

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - what the expression comes to
        """Evaluate one read-only Python expression in the user's variables and give its value.

        pandas methods, numpy (`np`), `pd`, `math` and plain Python work: `df.groupby("city").price.mean()`,
        `df[df.price > 2].head()`, `len(names)`. Not: assignments, imports, f-strings, `df.query`.
        Ask for aggregates or a few rows rather than for whole tables.

        Args:
            expression: one Python expression, 2,000 characters at the most.
        """
        return evaluate(expression, self._variables(), clock=time.monotonic, timeout_s=self._timeout_s)


def _live_namespace() -> tuple[Mapping[str, object], Collection[str]]:
    """The notebook's variables, and what IPython put there; in a plain process, the main program's."""
    ipython = sys.modules.get("IPython.core.getipython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return vars(sys.modules["__main__"]), ()
    hidden = [name for name, value in shell.user_ns_hidden.items() if shell.user_ns.get(name) is value]
    return shell.user_ns, hidden
