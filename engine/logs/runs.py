"""The runs of a container: when each began and how it ended, as the event journal tells."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.state import events


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Times are in seconds since the epoch; `ended` is 0 while it goes on, `started` if the journal forgot.

    The monitor reads the first output of a run after it has told of the start, and tells of the end after it has read
    the last: so a line of the log belongs to the run between whose times its own lies.
    """

    number: int  # the first that the journal still knows is 1
    started: float
    image: str = ""
    ended: float = 0.0
    exit_code: int = 0
    oom_killed: bool = False
    stopped: bool = False  # by a user
    ran: float = 0.0  # seconds, as its monitor measured; 0 if it did not tell

    @property
    def lasted(self) -> float:
        """Seconds from its start to its end, which `inspect` tells too; 0 if one of them is not known."""
        return self.ran or (self.ended - self.started if self.started and self.ended else 0.0)


def runs(journal: str, container_id: str) -> list[Run]:
    """The runs of a container that the journal in this directory knows of, oldest first."""
    found: list[Run] = []
    oom_killed = False
    for event in events.history(journal, container_id):
        last = found[-1] if found else None
        if event.action == "start":
            found.append(Run(len(found) + 1, event.time, event.attributes.get("image", "")))
            oom_killed = False
        elif event.action == "oom":
            oom_killed = True
        elif event.action == "die":
            begun = last if last is not None and not last.ended else Run(len(found) + 1, 0.0)
            code = event.attributes.get("exitCode", "")
            ended = Run(
                begun.number,
                begun.started,
                begun.image or event.attributes.get("image", ""),
                event.time,
                int(code) if code.isdecimal() else 0,
                oom_killed,
                ran=_seconds(event.attributes.get("ran", "")),
            )
            found[begun.number - 1 :] = [ended]
        elif event.action == "stop" and last is not None and last.ended:
            found[-1] = replace(last, stopped=True)
    return found


def _seconds(word: str) -> float:
    return float(word) if word.replace(".", "", 1).isdecimal() else 0.0
