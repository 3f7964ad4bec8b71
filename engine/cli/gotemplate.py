"""`--format`: the part of Go's text/template that people use with Docker, parsed into nodes.

Text and actions; fields, variables, pipelines, parentheses; if/else, range, with, and Docker's functions.
What the nodes do is in `goeval`. Source: pkg.go.dev/text/template; docs.docker.com, "Format command and log output".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.errors import InvalidInput


class TemplateError(InvalidInput):
    """A template that cannot be parsed, or asks for what is not there."""


class Text(NamedTuple):
    text: str


class Constant(NamedTuple):
    value: Any


class Field(NamedTuple):
    """`.a.b`, `$x.a`, `(pipe).a`; `base` None is the dot."""

    base: Any
    names: tuple[str, ...]
    source: str


class Variable(NamedTuple):
    name: str


class Call(NamedTuple):
    """A function, or a field that takes arguments, with its arguments."""

    function: Any  # str, or Field
    arguments: tuple[Any, ...]


class Pipe(NamedTuple):
    """Commands chained by `|`; with `variables`, the value is assigned instead of printed."""

    commands: tuple[Any, ...]
    variables: tuple[str, ...]
    declares: bool


class Branch(NamedTuple):
    """`if`, `with` or `range` with its two lists."""

    kind: str
    pipe: Pipe
    body: tuple[Any, ...]
    otherwise: tuple[Any, ...]


class Jump(NamedTuple):
    """`break` or `continue`."""

    kind: str


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<raw>`[^`]*`)
      | (?P<char>'(?:[^'\\\n]|\\.)+')
      | (?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))
      | (?P<field>\.[A-Za-z_]\w*)
      | (?P<variable>\$\w*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<mark>:=|=|\||\(|\)|,|\.)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_KEYWORDS = frozenset(("if", "else", "end", "range", "with", "break", "continue", "define", "template", "block"))
_LONGEST = 64 << 10  # characters; a template is typed by hand


class Token(NamedTuple):
    kind: str
    text: str
    spaced: bool  # white space before it


def unquote(body: str) -> str:
    """A Go string literal's inside, without its escapes."""

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "xuU" and len(code) > 1:
            return chr(min(int(code[1:], 16), 0x10FFFF))
        if code.isdigit():
            return chr(int(code, 8))
        if code in _ESCAPES:
            return _ESCAPES[code]
        raise TemplateError(f"template parsing error: template: :1: unknown escape \\{code}")

    return _ESCAPE.sub(one, body)


def parse(source: str) -> tuple[Any, ...]:
    """The nodes of a template. Raises TemplateError in Go's words."""
    if len(source) > _LONGEST:
        raise TemplateError("template parsing error: the template is too long")
    parser = _Parser(_pieces(source))
    nodes, end = parser.list(frozenset())
    if end:
        raise TemplateError(f"template parsing error: template: :1: unexpected {{{{{end}}}}}")
    return nodes


def _pieces(source: str) -> list[tuple[bool, str]]:
    """The template as (is an action, its inside) in order, with `{{-` and `-}}` already applied."""
    pieces: list[tuple[bool, str]] = []
    position = 0
    trim = False
    while True:
        start = source.find("{{", position)
        text = source[position:] if start < 0 else source[position:start]
        if trim:
            text = text.lstrip(" \t\r\n")
        if start < 0:
            pieces.append((False, text))
            return pieces
        inner = start + 2
        if source.startswith("-", inner) and source[inner + 1 : inner + 2].isspace():
            text = text.rstrip(" \t\r\n")
            inner += 1
        pieces.append((False, text))
        end = _end_of_action(source, inner)
        body = source[inner:end]
        trim = body.endswith("-") and body[-2:-1].isspace()
        if trim:
            body = body[:-1]
        body = body.strip()
        if not (body.startswith("/*") and body.endswith("*/")):
            pieces.append((True, body))
        position = end + 2


def _end_of_action(source: str, position: int) -> int:
    """Where the `}}` of an action is, looking past strings and comments."""
    if source[position:].lstrip().startswith("/*"):
        close = source.find("*/", position)
        position = close + 2 if close >= 0 else len(source)
    while position < len(source):
        if source.startswith("}}", position):
            return position
        found = _TOKEN.match(source, position)
        if found is None:
            if source[position] == "-":  # of a closing -}}
                position += 1
                continue
            if source[position] in "\"'`":
                raise TemplateError("template parsing error: template: :1: unterminated quoted string")
            bad = source[position]
            raise TemplateError(f"template parsing error: template: :1: bad character U+{ord(bad):04X} {bad!r}")
        position = found.end()
    raise TemplateError("template parsing error: template: :1: unclosed action")


class _Parser:
    """Turns pieces into nodes, by recursive descent."""

    def __init__(self, pieces: Sequence[tuple[bool, str]]) -> None:
        self.pieces = pieces
        self.piece = 0
        self.tokens: list[Token] = []
        self.at = 0
        self.loops = 0

    def list(self, ends: frozenset[str], depth: int = 0) -> tuple[tuple[Any, ...], str]:
        """Nodes up to an action that begins with one of `ends`, and which it was (empty at the end of the text)."""
        if depth > 100:
            raise TemplateError("template parsing error: template: :1: nested too deeply")
        nodes: list[Any] = []
        while self.piece < len(self.pieces):
            is_action, body = self.pieces[self.piece]
            self.piece += 1
            if not is_action:
                if body:
                    nodes.append(Text(body))
                continue
            self.tokens, self.at = _tokens(body), 0
            first = self.peek()
            word = first.text if first and first.kind == "word" else ""
            if word in ("end", "else"):
                self.at += 1
                if word not in ends:
                    raise TemplateError(f"template parsing error: template: :1: unexpected {{{{{word}}}}}")
                return tuple(nodes), word
            nodes.append(self.action(word, depth))
        if ends:
            raise TemplateError("template parsing error: template: :1: unexpected EOF")
        return tuple(nodes), ""

    def action(self, word: str, depth: int) -> Any:
        if word in ("if", "with", "range"):
            self.at += 1
            return self.branch(word, depth)
        if word in ("break", "continue"):
            self.at += 1
            self.nothing_more()
            if not self.loops:
                raise TemplateError(f"template parsing error: template: :1: {{{{{word}}}}} outside {{{{range}}}}")
            return Jump(word)
        if word in _KEYWORDS:
            raise TemplateError(f"template parsing error: template: :1: {{{{{word}}}}} is not supported here")
        if not self.tokens:
            raise TemplateError("template parsing error: template: :1: missing value for command")
        pipe = self.pipeline()
        self.nothing_more()
        return pipe

    def branch(self, kind: str, depth: int) -> Branch:
        if self.peek() is None:
            raise TemplateError(f"template parsing error: template: :1: missing value for {kind}")
        pipe = self.pipeline()
        self.nothing_more()
        self.loops += kind == "range"
        body, end = self.list(frozenset(("end", "else")), depth + 1)
        self.loops -= kind == "range"
        otherwise: tuple[Any, ...] = ()
        if end == "else":
            following = self.peek()
            if following is not None and following.text in ("if", "with"):
                self.at += 1  # {{else if x}} is {{else}}{{if x}} with one end
                return Branch(kind, pipe, body, (self.branch(following.text, depth + 1),))
            self.nothing_more()
            otherwise, _ = self.list(frozenset(("end",)), depth + 1)
        self.nothing_more()
        return Branch(kind, pipe, body, otherwise)

    def pipeline(self) -> Pipe:
        variables: tuple[str, ...] = ()
        declares = False
        start = self.at
        names = []
        while (token := self.peek()) is not None and token.kind == "variable":
            names.append(token.text)
            self.at += 1
            following = self.peek()
            if following is not None and following.text == "," and len(names) == 1:
                self.at += 1
                continue
            if following is not None and following.text in (":=", "="):
                self.at += 1
                variables, declares = tuple(names), following.text == ":="
            break
        if not variables:
            self.at = start
        commands = [self.command()]
        while (token := self.peek()) is not None and token.text == "|" and token.kind == "mark":
            self.at += 1
            commands.append(self.command())
        return Pipe(tuple(commands), variables, declares)

    def command(self) -> Any:
        operands = []
        while (token := self.peek()) is not None and not (token.kind == "mark" and token.text in ("|", ")")):
            operands.append(self.operand())
        if not operands:
            raise TemplateError("template parsing error: template: :1: missing value for command")
        first, *rest = operands
        if isinstance(first, Call) and not first.arguments:
            return Call(first.function, tuple(rest))
        if rest:
            if isinstance(first, Field):
                return Call(first, tuple(rest))
            raise TemplateError("template parsing error: template: :1: can't give argument to non-function")
        return first

    def operand(self) -> Any:
        token = self.tokens[self.at]
        self.at += 1
        node: Any
        if token.kind in ("string", "char"):
            text = unquote(token.text[1:-1])
            node = Constant(text if token.kind == "string" else ord(text[0]))
        elif token.kind == "raw":
            node = Constant(token.text[1:-1])
        elif token.kind == "number":
            node = Constant(_number(token.text))
        elif token.kind == "variable":
            node = Variable(token.text)
        elif token.kind == "field":
            self.at -= 1
            node = None
        elif token.kind == "word":
            node = self.word(token.text)
        elif token.text == ".":
            node = Field(None, (), ".")
        elif token.text == "(":
            node = self.pipeline()
            closing = self.peek()
            if closing is None or closing.text != ")":
                raise TemplateError("template parsing error: template: :1: unclosed left paren")
            self.at += 1
        else:
            raise TemplateError(f"template parsing error: template: :1: unexpected <{token.text}> in operand")
        return self.fields(node, isinstance(node, Field))

    def word(self, text: str) -> Any:
        from engine.cli.gofunctions import FUNCTIONS

        if text in ("true", "false"):
            return Constant(text == "true")
        if text == "nil":
            return Constant(None)
        if text not in FUNCTIONS:
            raise TemplateError(f'template parsing error: template: :1: function "{text}" not defined')
        return Call(text, ())

    def fields(self, base: Any, dot: bool) -> Any:
        """The `.a.b` glued behind an operand; on its own (`base` None) it starts at the dot."""
        names: list[str] = []
        while (token := self.peek()) is not None and token.kind == "field":
            if (names or base is not None) and token.spaced:
                break
            names.append(token.text[1:])
            self.at += 1
        if not names:
            return base
        return Field(None if dot else base, tuple(names), "." + ".".join(names))

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def nothing_more(self) -> None:
        if (token := self.peek()) is not None:
            raise TemplateError(f"template parsing error: template: :1: unexpected {token.text!r} in command")


def _tokens(body: str) -> list[Token]:
    tokens: list[Token] = []
    spaced = False
    position = 0
    while position < len(body):
        found = _TOKEN.match(body, position)
        if found is None or found.lastgroup is None:
            raise TemplateError(f"template parsing error: template: :1: unexpected {body[position]!r} in operand")
        position = found.end()
        if found.lastgroup == "space":
            spaced = True
            continue
        tokens.append(Token(found.lastgroup, found[0], spaced))
        spaced = False
    return tokens


def _number(text: str) -> int | float:
    return float(text) if re.search(r"[.eE]", text) and not text.lower().startswith("0x") else int(text, 0)
