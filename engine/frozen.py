"""Frozen, slotted dataclasses that cost nothing to import: the standard library's, as far as this project needs them.

Importing `dataclasses` takes 14 ms and making the classes of `engine.models` with it another 20, in every command that
is typed. Here a class is made in microseconds, and its `__init__` is compiled when the first instance is. Type checkers
see the standard library's own; its `replace`, `asdict` and `fields` work on these classes too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import asdict, dataclass, field, replace
    from typing import Any

    __all__ = ["asdict", "dataclass", "field", "replace"]
else:

    def dataclass(*, frozen: bool, slots: bool):
        """`@dataclass(frozen=True, slots=True)`, and nothing else."""
        if not (frozen and slots):
            raise TypeError("only dataclass(frozen=True, slots=True)")
        return _made

    def field(*, default_factory):
        """A default made anew for every instance."""
        return _Factory(default_factory)

    def replace(instance, /, **changes):
        """A copy with some fields changed."""
        kept = {name: getattr(instance, name) for name in instance.__slots__ if name not in changes}
        return type(instance)(**kept, **changes)

    def asdict(instance):
        """The fields by name; dataclasses inside are turned into dictionaries as well."""
        return {name: _plain(getattr(instance, name)) for name in instance.__slots__}


class _Factory:
    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def _made(cls: Any) -> Any:
    """`cls` again, with slots for its annotated names and the methods of a frozen dataclass."""
    namespace = dict(cls.__dict__)
    names = tuple(namespace.get("__annotations__", ()))
    defaults = {name: namespace.pop(name) for name in names if name in namespace}
    namespace.pop("__dict__", None)
    namespace.pop("__weakref__", None)
    namespace.update(
        __slots__=names,
        __match_args__=names,
        _defaults=defaults,
        __dataclass_fields__=_Fields(),
        __init__=_first_init,
        __repr__=namespace.get("__repr__") or _repr,
        __eq__=_eq,
        __hash__=_hash,
        __setattr__=_refuse,
        __delattr__=_refuse,
        __getstate__=_values,
        __setstate__=_restore,
    )
    return type(cls)(cls.__name__, cls.__bases__, namespace)


def _first_init(self: Any, *values: Any, **named: Any) -> None:
    """Stands in for `__init__` until the first instance is made."""
    cls = type(self)
    cls.__init__ = _compiled_init(cls)
    cls.__init__(self, *values, **named)


def _compiled_init(cls: Any) -> Any:
    parameters: list[str] = []
    body: list[str] = []
    scope: dict[str, Any] = {}
    for name in cls.__slots__:
        scope[f"_set_{name}"] = cls.__dict__[name].__set__
        value = name
        if name in cls._defaults:
            default = cls._defaults[name]
            parameters.append(f"{name}=_default_{name}")
            if isinstance(default, _Factory):
                scope[f"_make_{name}"] = default.make
                value = f"_make_{name}() if {name} is _default_{name} else {name}"
            scope[f"_default_{name}"] = default
        else:
            parameters.append(name)
        body.append(f" _set_{name}(self, {value})")
    exec(f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(body), scope)
    scope["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    return scope["__init__"]


def _values(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__slots__]


def _restore(self: Any, values: list[Any]) -> None:
    for name, value in zip(self.__slots__, values, strict=True):
        object.__setattr__(self, name, value)


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(tuple(_values(self)))


def _refuse(self: Any, name: str, *value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r} of a {type(self).__name__}")


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(item) for item in value)
    return asdict(value) if hasattr(type(value), "_defaults") else value


class _Fields:
    """`__dataclass_fields__`, made when the standard library asks for it the first time: that takes a millisecond."""

    def __get__(self, instance: object, owner: Any) -> Any:
        import dataclasses

        specified = []
        for name, kind in owner.__annotations__.items():
            default = owner._defaults.get(name, dataclasses.MISSING)
            factory = isinstance(default, _Factory)
            made: dict[str, Any] = {"default_factory": default.make} if factory else {"default": default}
            specified.append((name, kind, dataclasses.field(**made)))
        made_by_the_library: Any = dataclasses.make_dataclass(owner.__name__, specified)
        owner.__dataclass_fields__ = made_by_the_library.__dataclass_fields__
        return owner.__dataclass_fields__
