"""What a parsed `--format` template prints for a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.cli import gotemplate as nodes
from engine.cli.gofunctions import call
from engine.cli.gotemplate import TemplateError
from engine.cli.govalues import is_true, spell, type_name
from engine.cli.rows import Row

_LARGEST_OUTPUT = 16 << 20  # characters, from one value


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


def render(template: Sequence[Any], value: Any) -> str:
    """The text of a parsed template for one value. Raises TemplateError in Go's words."""
    out: list[str] = []
    _Execution(out, value).list(template, value)
    return "".join(out)


class _Execution:
    """One run of a template: its output and its variables."""

    def __init__(self, out: list[str], root: Any) -> None:
        self.out = out
        self.length = 0
        self.variables: list[tuple[str, Any]] = [("$", root)]

    def list(self, template: Sequence[Any], dot: Any) -> None:
        for node in template:
            if isinstance(node, nodes.Text):
                self.print(node.text)
            elif isinstance(node, nodes.Branch):
                self.branch(node, dot)
            elif isinstance(node, nodes.Jump):
                raise _Break if node.kind == "break" else _Continue
            else:
                value = self.pipe(node, dot)
                if not node.variables:
                    self.print(spell(value))

    def print(self, text: str) -> None:
        self.length += len(text)
        if self.length > _LARGEST_OUTPUT:
            raise TemplateError("template: the output is too long")
        self.out.append(text)

    def branch(self, node: nodes.Branch, dot: Any) -> None:
        mark = len(self.variables)
        if node.kind == "range":
            self.range(node, dot)
        else:
            value = self.pipe(node.pipe, dot)
            if is_true(value):
                self.list(node.body, value if node.kind == "with" else dot)
            else:
                self.list(node.otherwise, dot)
        del self.variables[mark:]

    def range(self, node: nodes.Branch, dot: Any) -> None:
        pipe = nodes.Pipe(node.pipe.commands, (), False)
        pairs = _pairs(self.pipe(pipe, dot))
        if not pairs:
            self.list(node.otherwise, dot)
            return
        mark = len(self.variables)
        for key, value in pairs:
            names = node.pipe.variables
            if len(names) == 2:
                self.assign(names[0], key, node.pipe.declares)
            if names:
                self.assign(names[-1], value, node.pipe.declares)
            try:
                self.list(node.body, value)
            except _Continue:
                continue
            except _Break:
                break
            finally:
                del self.variables[mark:]

    def assign(self, name: str, value: Any, declares: bool) -> None:
        if declares:
            self.variables.append((name, value))
            return
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == name:
                self.variables[index] = (name, value)
                return
        raise TemplateError(f'template parsing error: template: :1: undefined variable "{name}"')

    def pipe(self, pipe: nodes.Pipe, dot: Any) -> Any:
        value: Any = None
        for index, command in enumerate(pipe.commands):
            value = self.evaluate(command, dot, (value,) if index else ())
        for name in pipe.variables:
            self.assign(name, value, pipe.declares)
        return value

    def evaluate(self, node: Any, dot: Any, last: tuple[Any, ...] = ()) -> Any:
        """The value of an operand or command; `last` is what the pipe brought."""
        if isinstance(node, nodes.Call):
            if isinstance(node.function, nodes.Field):
                arguments = [self.evaluate(argument, dot) for argument in node.arguments]
                return self.field(node.function, dot, (*arguments, *last))
            if node.function in ("and", "or"):
                return self.logic(node, dot, last)
            arguments = [self.evaluate(argument, dot) for argument in node.arguments]
            return call(node.function, (*arguments, *last))
        if isinstance(node, nodes.Field):
            return self.field(node, dot, last)
        if last:
            raise TemplateError("template: :1: can't give argument to non-function")
        if isinstance(node, nodes.Constant):
            return node.value
        if isinstance(node, nodes.Variable):
            return self.variable(node.name)
        return self.pipe(node, dot)

    def logic(self, node: nodes.Call, dot: Any, last: tuple[Any, ...]) -> Any:
        """`and` and `or`, which stop at the first operand that decides."""
        value: Any = None
        for argument in node.arguments:
            value = self.evaluate(argument, dot)
            if is_true(value) == (node.function == "or"):
                return value
        return last[0] if last else value

    def variable(self, name: str) -> Any:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        raise TemplateError(f'template parsing error: template: :1: undefined variable "{name}"')

    def field(self, node: nodes.Field, dot: Any, arguments: tuple[Any, ...]) -> Any:
        value = dot if node.base is None else self.evaluate(node.base, dot)
        for index, name in enumerate(node.names):
            given = arguments if index == len(node.names) - 1 else ()
            value = _attribute(value, name, given, node.source, node.names[index - 1] if index else "")
        if arguments and not node.names:
            raise TemplateError("template: :1: can't give argument to non-function .")
        return value


# Documents that map what users chose: there a key that is missing has no value, elsewhere it is a mistake.
_FREE = frozenset(
    "Labels Annotations Networks Ports PortBindings ExposedPorts Volumes Sysctls Tmpfs Options Opts Data".split()
)


def _attribute(value: Any, name: str, arguments: tuple[Any, ...], source: str, parent: str) -> Any:
    where = f'template: :1: executing "" at <{source}>'
    if isinstance(value, Row):
        if name in value.methods:
            return value.methods[name](*arguments)
        if arguments:
            raise TemplateError(f"{where}: {name} has arguments but cannot be invoked as function")
        if name in value.fields:
            return value.fields[name]()
        raise TemplateError(f"{where}: can't evaluate field {name}")
    if arguments:
        raise TemplateError(f"{where}: {name} is not a method but has arguments")
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        # Docker reads what it does not know from the raw document, where spelling is free of case
        folded = [key for key in value if isinstance(key, str) and key.lower() == name.lower()]
        if len(folded) == 1:
            return value[folded[0]]
        if parent in _FREE:
            return None
        raise TemplateError(f'{where}: map has no entry for key "{name}"')
    if value is None and parent in _FREE:
        return None
    if value is None:
        raise TemplateError(f"{where}: nil data; no entry for key {name!r}".replace("'", '"'))
    raise TemplateError(f"{where}: can't evaluate field {name} in type {type_name(value)}")


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    """What `range` walks: maps by sorted key, lists by index, whole numbers from 0."""
    if value is None:
        return []
    if isinstance(value, Row):
        value = value.everything()
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool) and value <= 1_000_000:
        return [(number, number) for number in range(value)]
    raise TemplateError(f"template: :1: range can't iterate over {spell(value)}")
