"""Evaluation of --format templates over plain values and rows.

A dict whose keys all look like Go field names stands for a struct: a wrong field there is an error, in any other dict
it is "<no value>", as docker tells them apart by type. A `Row` computes its fields when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuidock.cli.template import (
    Access,
    Jump,
    Literal,
    Name,
    Node,
    Pipeline,
    Print,
    Range,
    TemplateError,
    Text,
    With,
    parse_template,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class Missing:
    """What a map answers for a key that it has not."""

    def __bool__(self) -> bool:
        return False


MISSING = Missing()


class Nil:
    """An absent list or map: it prints like an empty one and is null in JSON."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __bool__(self) -> bool:
        return False


NO_LIST, NO_MAP = Nil("[]"), Nil("map[]")


class Map(dict[str, Any] if TYPE_CHECKING else dict):  # type: ignore[misc]
    """A map whose keys are data, even when they look like field names."""


class Empty(dict[str, Any] if TYPE_CHECKING else dict):  # type: ignore[misc]
    """Go's struct without fields, of which sets are made: {}."""


class Row:
    """A line of a listing: columns are functions of one value, so that only what is shown is computed."""

    __slots__ = ("_columns", "_value")

    def __init__(self, value: Any, columns: Mapping[str, Callable[[Any], Any]]) -> None:
        self._value, self._columns = value, columns

    def field(self, name: str) -> Any:
        column = self._columns.get(name)
        if column is None:
            raise TemplateError(f"template: there is no field {name}; there are {', '.join(sorted(self._columns))}")
        return column(self._value)

    def plain(self) -> dict[str, Any]:
        """All fields that are values, sorted, as `{{json .}}` shows them."""
        found = {name: self._columns[name](self._value) for name in sorted(self._columns)}
        return {name: value for name, value in found.items() if not callable(value)}


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Template:
    """A parsed template that can be applied to many values."""

    def __init__(self, source: str, functions: Mapping[str, Callable[..., Any]] | None = None) -> None:
        from tuidock.cli.template_functions import FUNCTIONS

        self._nodes = parse_template(source)
        self._functions = {**FUNCTIONS, **(functions or {})}

    def render(self, value: Any) -> str:
        try:
            return _Run(self._functions, value).nodes(self._nodes, value)
        except (_Break, _Continue):
            raise TemplateError("template parsing error: {{break}} or {{continue}} outside of {{range}}") from None
        except RecursionError:
            raise TemplateError("template: nested too deeply") from None


class _Run:
    def __init__(self, functions: Mapping[str, Callable[..., Any]], root: Any) -> None:
        self._functions = functions
        self._scopes: list[dict[str, Any]] = [{"$": root}]

    def nodes(self, nodes: Sequence[Node], dot: Any) -> str:
        return "".join([self._node(node, dot) for node in nodes])

    def _scoped(self, nodes: Sequence[Node], dot: Any, names: Mapping[str, Any] | None = None) -> str:
        self._scopes.append(dict(names or {}))
        try:
            return self.nodes(nodes, dot)
        finally:
            self._scopes.pop()

    def _node(self, node: Node, dot: Any) -> str:
        from tuidock.cli.template_functions import show

        if isinstance(node, Text):
            return node.text
        if isinstance(node, Print):
            value = self.pipeline(node.pipeline, dot)
            return "" if node.pipeline.declares else show(value)
        if isinstance(node, Jump):
            raise _Break if node.word == "break" else _Continue
        if isinstance(node, Range):
            return self._range(node, dot)
        self._scopes.append({})
        try:
            value = self.pipeline(node.pipeline, dot)
            if truth(value):
                return self._scoped(node.body, value if isinstance(node, With) else dot)
            return self._scoped(node.otherwise, dot)
        finally:
            self._scopes.pop()

    def _range(self, node: Range, dot: Any) -> str:
        from tuidock.cli.template_functions import elements

        value = self._commands(node.pipeline, dot)
        pairs = elements(value)
        if not pairs:
            return self._scoped(node.otherwise, dot)
        parts: list[str] = []
        for key, element in pairs:
            names = node.pipeline.declares
            scope = dict(zip(names, (key, element) if len(names) == 2 else (element,), strict=False))
            self._scopes.append(scope)
            try:
                for child in node.body:
                    parts.append(self._node(child, element))
            except _Break:
                break
            except _Continue:
                continue
            finally:
                self._scopes.pop()
        return "".join(parts)

    def pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        value = self._commands(pipeline, dot)
        for name in pipeline.declares:
            scope = self._scopes[-1]
            if pipeline.assign:
                scope = next((scope for scope in reversed(self._scopes) if name in scope), {})
                if name not in scope:
                    raise TemplateError(f"template parsing error: undefined variable {name}")
            scope[name] = value
        return value

    def _commands(self, pipeline: Pipeline, dot: Any) -> Any:
        value: Any = None
        for index, command in enumerate(pipeline.commands):
            value = self._command(command, dot, [value] if index else [])
        return value

    def _command(self, command: Sequence[Literal | Name | Access], dot: Any, piped: list[Any]) -> Any:
        head, *rest = command
        if isinstance(head, Name):
            function = self._functions.get(head.name)
            if function is None:
                raise TemplateError(f'template parsing error: function "{head.name}" not defined')
            if head.name in ("and", "or"):
                return self._lazy(head.name, rest, dot, piped)
            return self._call(head.name, function, [self._operand(operand, dot) for operand in rest] + piped)
        value = self._operand(head, dot)
        arguments = [self._operand(operand, dot) for operand in rest] + piped
        if callable(value):
            return self._call(str(head), value, arguments)
        if arguments:
            raise TemplateError(f"template: can't give argument to non-function {_spelled(head)}")
        return value

    def _lazy(self, name: str, rest: Sequence[Literal | Name | Access], dot: Any, piped: list[Any]) -> Any:
        value: Any = None
        for operand in (*rest, *(Literal(value) for value in piped)):
            value = self._operand(operand, dot)
            if truth(value) == (name == "or"):
                return value
        return value

    def _call(self, name: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
        try:
            return function(*arguments)
        except TemplateError:
            raise
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise TemplateError(f"template: error calling {name}: {error}") from None

    def _operand(self, operand: Literal | Name | Access, dot: Any) -> Any:
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Name):
            return self._command((operand,), dot, [])
        if isinstance(operand.start, Pipeline):
            value = self._commands(operand.start, dot)
        elif operand.start == "":
            value = dot
        else:
            value = self._variable(operand.start)
        for name in operand.fields:
            value = field(value, name)
        return value

    def _variable(self, name: str) -> Any:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        raise TemplateError(f"template parsing error: undefined variable {name}")


def _spelled(operand: Literal | Name | Access) -> str:
    if isinstance(operand, Access):
        start = operand.start if isinstance(operand.start, str) else "(...)"
        return start + "".join("." + name for name in operand.fields)
    return str(operand[0])


def is_struct(value: Mapping[Any, Any]) -> bool:
    return isinstance(value, Empty) or (
        bool(value)
        and not isinstance(value, Map)
        and all(isinstance(key, str) and key[:1].isupper() and key.isidentifier() for key in value)
    )


def field(value: Any, name: str) -> Any:
    """One step of `.A.B`."""
    if isinstance(value, Row):
        return value.field(name)
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        if is_struct(value):
            raise TemplateError(f'template: map has no entry for key "{name}"')
        return MISSING
    if value is NO_MAP:
        return MISSING
    if value is None or isinstance(value, (Missing, Nil)):
        raise TemplateError(f"template: nil pointer evaluating .{name}")
    raise TemplateError(f"template: can't evaluate field {name} in a value of type {type(value).__name__}")


def truth(value: Any) -> bool:
    """Go's truth: false, 0, nil and whatever is empty are not."""
    return True if isinstance(value, Row) else bool(value)
