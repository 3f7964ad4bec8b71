"""`pilothouse ps`: the containers, running or all."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from engine.cli.drive import drive, opened
from engine.cli.filters import fits, group, has_labels, parse_filter
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.listing import asks_for, listing
from engine.cli.terminal import put
from engine.errors import InvalidInput, NotFound
from engine.models import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.cli.containerrows import ImageOf
    from engine.engine import Engine
    from engine.models import Container

COMMAND = Command(
    "ps",
    "[OPTIONS]",
    "List containers",
    (
        Flag("all", bool, "Show all containers (default shows just running)", short="a"),
        Flag(
            "filter", parse_filter, "Filter output based on conditions provided", short="f", value="filter", many=True
        ),
        Flag("format", str, "Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
        Flag("last", int, "Show n last created containers (includes all states)", short="n", default=-1),
        Flag("latest", bool, "Show the latest created container (includes all states)", short="l"),
        Flag("no-trunc", bool, "Don't truncate output"),
        Flag("quiet", bool, "Only display container IDs", short="q"),
        Flag("size", bool, "Display total file sizes", short="s"),
    ),
    maximum=0,
)
FILTERS = frozenset(
    "ancestor before exited id label name network publish expose since status volume health is-task".split()
)
HEALTH = ("starting", "healthy", "unhealthy", "none")
OF_ANY_STATE = ("status", "exited", "before", "since")  # filters that mean stopped containers as well
Test = Callable[["Container"], bool]


def run(args: Arguments) -> int:
    with opened(args) as engine:
        containers = drive(engine.containers())
        image_of = images_of(engine)
        test = _test(group(args.filter, FILTERS), containers, image_of)
        count = 1 if args.latest else args.last
        any_state = args.all or count > 0 or any(key in OF_ANY_STATE for key, _ in args.filter)
        shown = [one for one in containers if (any_state or _lives(one)) and test(one)]
        if count > 0:
            shown = shown[:count]
        if args.quiet and args.format in ("", "table"):
            put("".join(f"{one.id if args.no_trunc else one.short_id}\n" for one in shown))
            return 0
        from engine.cli.containerrows import HEADERS, TABLE, container_row

        size = (lambda id: drive(engine.size(id))) if args.size or asks_for(args.format, "Size") else None
        rows = [container_row(one, image_of, truncate=not args.no_trunc, size=size) for one in shown]
        put(listing(rows, args.format, HEADERS, (*TABLE, "Size") if args.size else TABLE))
    return 0


def images_of(engine: Engine) -> ImageOf:
    """Finds an image by ID once; None if it is gone."""

    @cache
    def find(image_id: str):  # type: ignore[no-untyped-def]
        try:
            return drive(engine.image(image_id))
        except NotFound:
            return None

    return find


def _lives(container: Container) -> bool:
    return container.running or container.state is State.RESTARTING


def _test(wanted: dict[str, list[str]], containers: list[Container], image_of: ImageOf) -> Test:
    """Whether a container fits the filters: all keys, and of each key one value (of labels, all)."""
    tests: list[Test] = []
    for key, values in wanted.items():
        tests.append(_one_test(key, values, containers, image_of))
    return lambda container: all(test(container) for test in tests)


def _one_test(key: str, values: list[str], containers: list[Container], image_of: ImageOf) -> Test:
    if key == "id":
        return lambda one: any(one.id.startswith(value) for value in values)
    if key == "name":
        return lambda one: fits(one.name, values) or fits(f"/{one.name}", values)
    if key == "label":
        return lambda one: has_labels({**_labels_of_image(one, image_of), **one.options.labels}, values)
    if key == "status":
        unknown = [value for value in values if value not in [*State, "removing"]]
        if unknown:
            raise InvalidInput(
                f"Invalid filter 'status={unknown[0]}'", hint=f"a status is one of: {', '.join(map(str, State))}"
            )
        return lambda one: str(one.state) in values
    if key == "exited":
        if not all(value.lstrip("-").isdigit() for value in values):
            raise InvalidInput(f"Invalid filter 'exited={values[0]}'")
        return lambda one: one.state is State.EXITED and str(one.exit_code) in values
    if key == "health":
        for value in values:
            if value not in HEALTH:
                raise InvalidInput(
                    f"Unrecognised filter value for health: {value}", hint=f"it is one of: {', '.join(HEALTH)}"
                )
        return lambda one: (one.health or "none") in values
    if key == "network":
        return lambda one: one.options.network in values
    if key == "volume":
        return lambda one: any(
            value in (mount.source, mount.target) for mount in one.options.mounts for value in values
        )
    if key in ("publish", "expose"):
        return lambda one: any(_has_port(one, value, key == "publish") for value in values)
    if key == "ancestor":
        return lambda one: any(_is_from(one, value, image_of) for value in values)
    if key in ("before", "since"):
        moments = [_find(containers, value).created for value in values]
        if key == "before":
            return lambda one: one.created < min(moments)
        return lambda one: one.created > max(moments)
    return lambda one: values == ["false"]


def _labels_of_image(container: Container, image_of: ImageOf) -> dict[str, str]:
    image = image_of(container.image_id)
    return image.config.labels if image else {}


def _has_port(container: Container, text: str, host: bool) -> bool:
    from engine.cli.ports import parse_container_port

    port, protocol = parse_container_port(text)
    return any(
        (mapping.host_port if host else mapping.container_port) == port and mapping.protocol == protocol
        for mapping in container.ports
    )


def _is_from(container: Container, wanted: str, image_of: ImageOf) -> bool:
    """Whether a container was made from an image, named as the user may name it."""
    bare = wanted.removeprefix("sha256:")
    if len(bare) >= 4 and container.image_id.removeprefix("sha256:").startswith(bare):
        return True
    from engine.reference import parse

    try:
        reference = parse(wanted)
    except InvalidInput:
        return False
    image = image_of(container.image_id)
    if image and (reference.canonical in image.references or reference.canonical in image.digests):
        return True
    try:
        return parse(container.image).canonical == reference.canonical
    except InvalidInput:
        return False


def _find(containers: list[Container], wanted: str) -> Container:
    for one in containers:
        if one.name == wanted or one.id.startswith(wanted):
            return one
    raise NotFound(f"No such container: {wanted}")
