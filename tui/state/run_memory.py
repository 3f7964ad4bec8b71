"""What stood in the run form when an image was run last."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from typing import Any

from tui.run_line import Fields, PortRow
from tui.state import memory

KEY = "run_forms"
IMAGES = 40  # the last so many
# Values of such variables are not kept: the file is for convenience, not for secrets.
_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|PRIVATE", re.IGNORECASE)


def last(image: str) -> Fields | None:
    """The values an image was run with last, without the name; None if there are none, or none that can be read."""
    forms = memory.recall().get(KEY)
    found = forms.get(image) if isinstance(forms, dict) else None
    return _read(image, found) if isinstance(found, dict) else None


def keep(image: str, form: Fields) -> None:
    """Remember the form for the next run of `image`; the name, which will be taken, and secrets are left out."""
    env = tuple(
        f"{name}=" if _SECRET.search(name) else variable
        for variable in form.env
        for name in (variable.partition("=")[0],)
        if variable
    )
    forms = memory.recall().get(KEY)
    forms = dict(forms) if isinstance(forms, dict) else {}
    forms.pop(image, None)
    forms[image] = asdict(replace(form, name="", env=env))
    memory.remember(**{KEY: dict(list(forms.items())[-IMAGES:])})


def _read(image: str, found: dict[str, Any]) -> Fields | None:
    known = {field.name: field.default for field in fields(Fields)}
    values: dict[str, Any] = {}
    try:
        for name, default in known.items():
            value = found.get(name, default)
            if name == "ports":
                value = tuple(PortRow(str(row["host"]), str(row["container"])) for row in value)
            elif isinstance(default, tuple):
                value = tuple(str(word) for word in value)
            if type(value) is not type(default):
                return None
            values[name] = value
    except (TypeError, KeyError):
        return None
    return replace(Fields(**values), image=image, name="")
