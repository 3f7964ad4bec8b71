"""What the dashboard looks like at the end of a run, and putting it back at the start of the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.state import memory

if TYPE_CHECKING:
    from tui.dashboard import Dashboard
    from tui.panes.list_pane import ListPane

KEY = "view"


def keep(dashboard: Dashboard) -> bool:
    """Remember the chosen pane and tab, filters and orders; False where it cannot be written."""
    return memory.remember(
        **{
            KEY: {
                "list": dashboard.listed.id,
                "tab": dashboard.tab,
                "zoom": dashboard.has_class("-zoom"),
                "all": dashboard.containers.show_all,
                "containers": _of_list(dashboard.containers),
                "images": _of_list(dashboard.images),
                "volumes": _of_list(dashboard.volumes) if dashboard.volumes else recalled("volumes"),
            }
        }
    )


def restore(dashboard: Dashboard) -> None:
    """Put back what was kept. The file may be old or damaged: what does not fit is left as it is."""
    found = _view()
    if isinstance(found.get("tab"), str):
        dashboard.choose_tab(found["tab"])
    if isinstance(found.get("all"), bool):
        dashboard.containers.show_all = found["all"]
    for pane in (dashboard.containers, dashboard.images):
        restore_list(pane, str(pane.id))
    if found.get("list") in ("images", "volumes"):
        dashboard.action_pane(found["list"])
    if found.get("zoom") is True:
        dashboard.action_zoom()


def _of_list(pane: ListPane) -> dict[str, Any]:
    return {"filter": pane.filter_text, "sort": pane.table.sort_column, "down": pane.table.sort_down}


def _view() -> dict[str, Any]:
    found = memory.recall().get(KEY)
    return found if isinstance(found, dict) else {}


def recalled(name: str) -> object:
    """What was kept of a list."""
    return _view().get(name)


def restore_list(pane: ListPane, name: str) -> None:
    """Put back the filter and the order of a list."""
    found = recalled(name)
    if not isinstance(found, dict):
        pane.reload()
        return
    text, column, down = found.get("filter"), found.get("sort"), found.get("down")
    if isinstance(text, str) and text.strip():
        pane.put_filter(text)
    if isinstance(column, str) and column in pane.sorts and isinstance(down, bool):
        pane.table.sort_column, pane.table.sort_down = column, down
    pane.reload()
