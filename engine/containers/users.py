"""Who a container runs as: `user[:group]` looked up in the image's own /etc/passwd and /etc/group.

Rules as Docker's (docker-run(1), "--user"): a number is always an ID, and needs no entry; a name needs one; with a
group named, the user's other groups are not taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from engine.containers import merged
from engine.errors import RuntimeFailure
from engine.frozen import dataclass

MAXIMUM_ID = (1 << 31) - 1
MAXIMUM_FILE = 4 << 20  # bytes read of a passwd or group file; real ones have some kilobytes


@dataclass(frozen=True, slots=True)
class ResolvedUser:
    """IDs inside the container. `additional_gids` begins with `gid`, as Docker has it (CVE-2022-36109)."""

    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = (0,)
    home: str = "/"
    name: str = ""  # empty if passwd has no such user


def resolve(layers: Sequence[str | os.PathLike[str]], user: str) -> ResolvedUser:
    """Look `user` up in the merged tree of `layers` (topmost first); "" is root.

    Raises: RuntimeFailure (stage "user") in Docker's words if there is no such user or group, or an ID is too large.
    """
    who, _, group = user.partition(":")
    uid = _identifier(who, user)
    wanted_gid = _identifier(group, user)
    passwd = merged.read_text(layers, "/etc/passwd", MAXIMUM_FILE) or ""
    by_name = bool(who) and uid is None
    entry = next(
        (fields for fields in _entries(passwd, 7) if (fields[0] == who if by_name else int(fields[2]) == (uid or 0))),
        None,
    )
    if entry is None and by_name:
        raise RuntimeFailure(f"unable to find user {who}: no matching entries in passwd file", stage="user")
    name = entry[0] if entry else ""
    gid = int(entry[3]) if entry else 0
    home = (entry[5] if entry else "") or "/"
    others: list[int] = []
    if group or name:
        groups = list(_entries(merged.read_text(layers, "/etc/group", MAXIMUM_FILE) or "", 4))
        if not group:
            others = [int(fields[2]) for fields in groups if name in fields[3].split(",")]
        elif wanted_gid is not None:
            gid = wanted_gid
        else:
            match = next((fields for fields in groups if fields[0] == group), None)
            if match is None:
                raise RuntimeFailure(f"unable to find group {group}: no matching entries in group file", stage="user")
            gid = int(match[2])
    return ResolvedUser(
        uid=int(entry[2]) if entry else uid or 0,
        gid=gid,
        additional_gids=tuple(dict.fromkeys((gid, *others))),
        home=home,
        name=name,
    )


def names(passwd: str) -> dict[int, str]:
    """The name of each user ID in the text of a passwd file; the first entry of an ID counts."""
    return {int(fields[2]): fields[0] for fields in reversed(list(_entries(passwd, 7)))}


def _identifier(text: str, user: str) -> int | None:
    """The number that `text` is, or None for a name."""
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        return None
    number = int(text[:20])
    if not 0 <= number <= MAXIMUM_ID:
        raise RuntimeFailure(f"uids and gids must be in range 0-{MAXIMUM_ID}", stage="user", hint=f"--user was {user}")
    return number


def _entries(text: str, count: int) -> Iterator[list[str]]:
    """The well-formed lines of a passwd or group file; what is damaged is passed over, as Docker does."""
    for line in text.splitlines():
        fields = line.strip().split(":")
        fields += [""] * (count - len(fields))
        numbers = fields[2:4] if count == 7 else fields[2:3]
        if fields[0] and not fields[0].startswith("#") and all(_is_identifier(number) for number in numbers):
            yield fields


def _is_identifier(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAXIMUM_ID
