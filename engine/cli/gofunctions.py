"""The functions of a `--format` template: those of Go's text/template, and Docker's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.cli.gotemplate import TemplateError
from engine.cli.govalues import is_true, spelled, to_json, type_name
from engine.cli.rows import Row, quote


def call(name: str, arguments: tuple[Any, ...]) -> Any:
    try:
        return FUNCTIONS[name](*arguments)
    except TemplateError:
        raise
    except TypeError as error:
        where = f'template: :1: executing "" at <{name}>'
        if "positional argument" in str(error):
            raise TemplateError(f"{where}: wrong number of args for {name}: got {len(arguments)}") from error
        raise TemplateError(f"{where}: error calling {name}: {error}") from error
    except (ValueError, IndexError, AttributeError, OverflowError) as error:
        raise TemplateError(f'template: :1: executing "" at <{name}>: error calling {name}: {error}') from error


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Row):
            value = value.everything()
        if isinstance(value, Mapping):
            value = value.get(key)
        elif value is None and isinstance(key, str):
            value = ""  # Go's empty map of strings, which JSON writes as null
        elif value is None:
            raise TypeError("index of untyped nil")
        elif isinstance(value, Sequence) and isinstance(key, int):
            if not 0 <= key < len(value):
                raise IndexError(f"index out of range: {key}")
            value = ord(value[key]) if isinstance(value, str) else value[key]
        else:
            raise TypeError(f"cannot index slice/array with type {type_name(key)}")
    return value


def _slice(value: Any, *bounds: int) -> Any:
    first, last = (*bounds, *(0, len(value))[len(bounds) :])[:2]
    if not 0 <= first <= last <= len(value):
        raise IndexError(f"index out of range: {last}")
    return value[first:last]


def _print(*arguments: Any) -> str:
    """Go's Sprint: a space between two operands when neither is a string."""
    text = ""
    for index, argument in enumerate(arguments):
        if index and not isinstance(argument, str) and not isinstance(arguments[index - 1], str):
            text += " "
        text += spelled(argument)
    return text


_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d+))?([a-zA-Z%])")


def _printf(template: str, *arguments: Any) -> str:
    """Go's Sprintf with the verbs v s q d x X o b c t f e g %."""
    queue = list(arguments)

    def one(found: re.Match[str]) -> str:
        flags, width, precision, verb = found.groups()
        if verb == "%":
            return "%"
        if not queue:
            return f"%!{verb}(MISSING)"
        value = queue.pop(0)
        text = _formatted(verb, flags, precision, value)
        if width and int(width) <= 10_000:
            if "-" in flags:
                return text.ljust(int(width))
            return text.zfill(int(width)) if "0" in flags and not isinstance(value, str) else text.rjust(int(width))
        return text

    text = _VERB.sub(one, template)
    if queue:
        text += "%!(EXTRA " + ", ".join(f"{type_name(value)}={spelled(value)}" for value in queue) + ")"
    return text


def _formatted(verb: str, flags: str, precision: str | None, value: Any) -> str:
    if verb == "s" or verb == "v":
        text = spelled(value)
        return text[: int(precision)] if precision and verb == "s" else text
    if verb == "q":
        if isinstance(value, Sequence) and not isinstance(value, str):
            return "[" + " ".join(quote(spelled(item)) for item in value) + "]"
        return quote(spelled(value))
    if verb == "t" and isinstance(value, bool):
        return spelled(value)
    if verb in "xX" and isinstance(value, str):
        text = value.encode().hex()
        return text.upper() if verb == "X" else text
    if verb == "c" and isinstance(value, int):
        return chr(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        sign = "+" if "+" in flags else ""
        if verb in "dxXob" and value == int(value):
            return format(int(value), f"{sign}{'#' if '#' in flags and verb in 'xX' else ''}{verb}")
        if verb in "feEgG":
            digits = f".{precision}" if precision is not None else ("" if verb in "gG" else ".6")
            return format(float(value), f"{sign}{digits}{verb}")
    return f"%!{verb}({type_name(value)}={spelled(value)})"


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TypeError("missing argument for comparison")
    return any(_comparable(first, other) and first == other for other in others)


def _comparable(first: Any, second: Any) -> bool:
    plain = (str, bool, int, float, type(None))
    if not isinstance(first, plain) or not isinstance(second, plain):
        raise TypeError("non-comparable type")
    if first is None or second is None:
        return True
    if isinstance(first, bool) != isinstance(second, bool) or isinstance(first, str) != isinstance(second, str):
        raise TypeError("incompatible types for comparison")
    return True


def _less(first: Any, second: Any) -> bool:
    if not _comparable(first, second) or isinstance(first, bool) or first is None:
        raise TypeError("invalid type for comparison")
    return bool(first < second)


def _join(items: Any, separator: str = "") -> str:
    if items is None:
        return ""
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise TypeError(f"expected []string; found {spelled(items)}")
    return separator.join(spelled(item) for item in items)


def _truncate(text: str, length: int) -> str:
    return text if len(text) < length else text[:length]


def _pad(text: str, before: int, after: int) -> str:
    return " " * min(before, 10_000) + text + " " * min(after, 10_000) if text else text


def _length(value: Any) -> int:
    if value is None:
        raise TypeError("len of nil pointer")
    return len(value)


def _title(text: str) -> str:
    return re.sub(r"(^|\s)(\S)", lambda found: found[1] + found[2].upper(), text)


def _html(*arguments: Any) -> str:
    import html

    return html.escape(_print(*arguments)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _urlquery(*arguments: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(_print(*arguments))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: values[-1],  # evaluated in `logic`
    "or": lambda *values: values[-1],
    "not": lambda value: not is_true(value),
    "eq": _equal,
    "ne": lambda first, second: not _equal(first, second),
    "lt": _less,
    "le": lambda first, second: _less(first, second) or _equal(first, second),
    "gt": lambda first, second: _less(second, first),
    "ge": lambda first, second: _less(second, first) or _equal(first, second),
    "len": _length,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": lambda *values: " ".join(map(spelled, values)) + "\n",
    "printf": _printf,
    "html": _html,
    "js": lambda *values: json.dumps(_print(*values))[1:-1].replace("'", "\\'"),
    "urlquery": _urlquery,
    "json": to_json,
    "split": lambda text, separator: text.split(separator) if separator else list(text),
    "join": _join,
    "title": _title,
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "pad": _pad,
    "truncate": _truncate,
}
