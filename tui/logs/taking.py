"""Taking text out of the log viewer: to the clipboards, to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.worker import get_current_worker

from tui.logs import clipboard
from tui.logs.choosing import LineChoice
from tui.logs.saving import save
from tui.logs.selecting import text_of_lines

if TYPE_CHECKING:
    from tui.logs.view import LogView


class Taking:
    """Belongs to a LogView."""

    def __init__(self, view: LogView) -> None:
        self._view = view

    def copy(self, choice: LineChoice) -> None:
        """The chosen lines, else what the mouse selected, else what is on the screen."""
        view = self._view
        if choice.active:
            text, count = choice.take()
        else:
            text = view.screen.get_selected_text() or ""
            count = text.count("\n") + 1
            if not text:
                text, count = text_of_lines(view.body.visible_lines)
        if text:
            view.app.copy_to_clipboard(text)  # through the terminal: OSC 52
            self._copy_to_system(text)
            view.tell_shortly(f"Copied {count:,} {'line' if count == 1 else 'lines'}", timeout=2)

    def _copy_to_system(self, text: str) -> None:
        command = clipboard.program()
        if command:
            self._view.run_worker(lambda: clipboard.put(text, command), thread=True, group="clipboard")

    def save(self, text: str) -> None:
        """Save what the filter shows to the file of this name."""
        view, source, body = self._view, self._view.source, self._view.body
        if source is None or not text:
            return
        path = Path(text).expanduser()
        admitted, mode, names = body.lines.admitted, body.time_mode, body.names

        def work() -> None:
            worker = get_current_worker()
            try:
                count = save(path, source, admitted, mode, names, lambda: worker.is_cancelled)
            except OSError as error:
                view.app.call_from_thread(view.tell_shortly, f"Cannot save {path}: {error.strerror}", severity="error")
                return
            lines = f"{count:,} {'line' if count == 1 else 'lines'}"
            view.app.call_from_thread(view.tell_shortly, f"Saved {lines} to {path}")

        view.run_worker(work, thread=True, group="save")
