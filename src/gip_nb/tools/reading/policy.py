"""An expression's text as code that asks before all it does. RestrictedPython does the rewriting.

Its own policy guards attributes, subscripts and loops. This one guards calls, operators and comparisons too,
since what is done to data with them can cost any amount of memory, and leaves out what nobody needs to read
data.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.kinds import Refused

if TYPE_CHECKING:
    from types import CodeType

__all__ = ["MOST_CHARACTERS", "compiled"]

MOST_CHARACTERS = 2_000


def _guarded(node: ast.expr, guard: str, *arguments: ast.expr) -> ast.Call:
    call = ast.Call(func=ast.Name(guard, ast.Load()), args=list(arguments), keywords=[])
    return ast.fix_missing_locations(ast.copy_location(call, node))


@lru_cache(maxsize=1)
def _policy() -> type[ast.NodeTransformer]:  # noqa: C901 - a class, and small methods
    """Made on first use: the base class is in an optional package."""
    from RestrictedPython.transformer import RestrictingNodeTransformer

    class ReadingPolicy(RestrictingNodeTransformer):
        """What an expression may be made of."""

        def _refuse(self, node: ast.AST, what: str) -> ast.AST:
            self.error(node, f"{what} is not read.")
            return node

        def visit_NamedExpr(self, node: ast.NamedExpr) -> Any:
            return self._refuse(node, "an assignment (:=)")

        def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
            return self._refuse(node, "an f-string")

        def visit_FormattedValue(self, node: ast.FormattedValue) -> Any:
            return self._refuse(node, "an f-string")

        def visit_TemplateStr(self, node: ast.AST) -> Any:
            return self._refuse(node, "a t-string")

        def visit_Starred(self, node: ast.Starred) -> Any:
            return self._refuse(node, "unpacking (*)")

        def visit_Dict(self, node: ast.Dict) -> Any:
            if None in node.keys:
                return self._refuse(node, "unpacking (**)")
            return self.node_contents_visit(node)

        def visit_arguments(self, node: ast.arguments) -> Any:
            if node.vararg or node.kwarg:
                return self._refuse(node, "a lambda with * or **")
            # One that is called like a guard would take its place. Not every RestrictedPython looks at all.
            if any(one.arg.startswith("_") for one in (*node.posonlyargs, *node.args, *node.kwonlyargs)):
                return self._refuse(node, "a name that starts with _")
            return self.node_contents_visit(node)

        def visit_comprehension(self, node: ast.comprehension) -> Any:
            if node.is_async:
                return self._refuse(node, "async")
            return super().visit_comprehension(node)

        def visit_BinOp(self, node: ast.BinOp) -> Any:
            node = self.node_contents_visit(node)
            name = ast.Constant(type(node.op).__name__)
            return _guarded(node, "_binary_", name, node.left, node.right)

        def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
            node = self.node_contents_visit(node)
            if isinstance(node.op, ast.Not):
                return node
            return _guarded(node, "_unary_", ast.Constant(type(node.op).__name__), node.operand)

        def visit_Compare(self, node: ast.Compare) -> Any:
            if len(node.ops) > 1:
                return self._refuse(node, "a chained comparison (write `a < b and b < c`, or & for columns)")
            node = self.node_contents_visit(node)
            name = ast.Constant(type(node.ops[0]).__name__)
            return _guarded(node, "_compare_", name, node.left, node.comparators[0])

        def visit_Call(self, node: ast.Call) -> Any:
            if any(isinstance(one, ast.Starred) for one in node.args) or any(
                keyword.arg is None or keyword.arg.startswith("_") for keyword in node.keywords
            ):
                return self._refuse(node, "unpacking (*, **) in a call")
            super().visit_Call(node)  # changes it in place where nothing is unpacked
            node.args.insert(0, node.func)
            node.func = ast.copy_location(ast.Name("_call_", ast.Load()), node.args[0])
            return node

    return ReadingPolicy


def compiled(expression: str) -> tuple[CodeType, frozenset[str]]:
    """The code of an expression, and the names that it uses.

    Raises:
        Refused: it is no expression, or one that is not read.
    """
    from RestrictedPython.compile import compile_restricted_eval

    if len(expression) > MOST_CHARACTERS:
        raise Refused(f"an expression has at most {MOST_CHARACTERS:,} characters")
    try:
        result = compile_restricted_eval(expression.strip(), "<expression>", policy=_policy())
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise Refused(f"not an expression: {type(error).__name__}: {error}") from None
    if result.errors or result.code is None:
        told = "; ".join(str(one).removeprefix("Line 1: ").strip() for one in result.errors[:3])
        raise Refused(f"not one read-only expression: {told[:500]}")
    return result.code, frozenset(result.used_names)
