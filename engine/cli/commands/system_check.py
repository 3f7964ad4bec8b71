"""`pilothouse system check`: find and mend what is damaged or left over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.drive import drive, opened
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.terminal import put, safe

if TYPE_CHECKING:
    from engine.models import Finding

COMMAND = Command(
    "system check",
    "[OPTIONS]",
    "Find and mend what is damaged or left over",
    (Flag("dry-run", bool, "Only look and tell; change nothing"),),
    maximum=0,
)


def run(args: Arguments) -> int:
    """1 if something is not in order afterwards: with `--dry-run`, if anything was found."""
    with opened(args, mend=False) as engine:
        findings = drive(engine.check(dry_run=args.dry_run))
    for finding in findings:
        put(_line(finding) + "\n")
    left = len(findings) if args.dry_run else sum(not finding.mended for finding in findings)
    if not findings:
        put("Everything is in order.\n")
    elif args.dry_run:
        put(f"{len(findings)} found; nothing was changed.\n")
    else:
        put(f"{len(findings)} found, {len(findings) - left} mended, {left} left.\n")
    return 1 if left else 0


def _line(finding: Finding) -> str:
    remedy = f" ({finding.remedy})" if finding.remedy else ""
    return safe(f"{finding.subject}: {finding.problem}{remedy}")
