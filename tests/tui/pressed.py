"""Which keys of the keymap table have been pressed in Pilot tests, and done what they are bound to.

Counted where Textual turns a key into an action: only a key that reached its pane, was in force, and whose action was
handled. A click or the palette does not count, nor does a key that something else took first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from textual.app import App

PRESSED: set[str] = set()
_KEY: ContextVar[str] = ContextVar("key", default="")


@pytest.fixture(scope="session", autouse=True)
def count_pressed_keys() -> Iterator[None]:
    """Watches Textual's way from key to action for the whole run."""
    check, run = App._check_bindings, App.run_action

    async def check_bindings(self: App[Any], key: str, priority: bool = False) -> bool:
        token = _KEY.set(key)
        try:
            return await check(self, key, priority)
        finally:
            _KEY.reset(token)

    async def run_action(self: App[Any], action: Any, default_namespace: Any = None, namespaces: Any = None) -> bool:
        key = _KEY.get()
        handled = await run(self, action, default_namespace, namespaces)
        if key and handled and default_namespace is not None:
            bound = default_namespace._bindings.key_to_bindings.values()
            PRESSED.update(b.id for bindings in bound for b in bindings if b.id and b.action == action)
        return handled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(App, "_check_bindings", check_bindings)
        patch.setattr(App, "run_action", run_action)
        yield


def put_last(config: pytest.Config, items: list[pytest.Item], file: str) -> None:
    """Let the tests of `file` run after all others, and only when all others of the dashboard do."""
    last = [item for item in items if item.path.name == file]
    if not last:
        return
    rest = [item for item in items if item.path.name != file]
    folder = last[0].path.parent
    every = set(folder.rglob("test_*.py")) - {last[0].path}
    whole = every <= {item.path for item in rest} and not (config.option.keyword or config.option.markexpr)
    whole = whole and not any("::" in argument for argument in config.args)
    if whole:
        items[:] = [*rest, *last]
    else:
        items[:] = rest
        config.hook.pytest_deselected(items=last)
