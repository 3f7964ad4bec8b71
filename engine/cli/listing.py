"""`--format` for lists: tables as Docker's tabwriter sets them, templates, JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.cli.rows import Row, fixed_row
from engine.cli.terminal import safe

GAP = 3  # columns between two cells
NARROWEST = 10


def table(rows: Iterable[Sequence[str]]) -> str:
    """Lines of cells under each other; the last cell of a line is not padded."""
    cells = [[safe(cell) for cell in row] for row in rows]
    count = max((len(row) for row in cells), default=0)
    widths = [
        max(max((len(row[index]) for row in cells if index < len(row) - 1), default=0) + GAP, NARROWEST)
        for index in range(count)
    ]
    lines = []
    for row in cells:
        padded = [cell.ljust(widths[index]) for index, cell in enumerate(row[:-1])]
        lines.append("".join((*padded, *row[-1:])) + "\n")
    return "".join(lines)


def listing(rows: Sequence[Row], template: str, headers: Mapping[str, str], default: Sequence[str]) -> str:
    """The text of a list: `template` is what `--format` said, `default` the fields of the normal table."""
    if template in ("", "table"):
        cells = [[str(row.fields[name]()) for name in default] for row in rows]
        return table([[headers[name] for name in default], *cells])
    return _by_template(rows, template, headers)


def _by_template(rows: Sequence[Row], template: str, headers: Mapping[str, str]) -> str:
    from engine.cli.gotemplate import parse

    template = template.replace("\\t", "\t").replace("\\n", "\n")
    if template == "json":
        template = "{{json .}}"
    words = template.partition(" ")[2] if template.startswith("table ") else ""
    nodes = parse(words or template)
    if not words:
        return "".join(_line(nodes, row) + "\n" for row in rows)
    heading = Row(fixed_row(headers).fields, {"Label": lambda name: name.upper()})
    lines = [_line(nodes, heading), *(_line(nodes, row) for row in rows)]
    return table(line.split("\t") for text in lines for line in text.split("\n"))


def _line(nodes: Sequence[object], row: Row) -> str:
    from engine.cli.goeval import render
    from engine.cli.gotemplate import TemplateError

    try:
        return render(nodes, row)
    except TemplateError as error:
        raise TemplateError(f"failed to execute template: {error.message}") from error


def asks_for(template: str, field: str) -> bool:
    """Whether a template uses a field that is costly to compute."""
    return f".{field}" in template
