"""What is published or taken away while a container runs is what its record says, and what later starts have."""

from __future__ import annotations

import pytest

from engine.containers import records
from engine.engine import Engine
from engine.errors import Conflict, NotFound
from engine.images.host import add_host_image
from engine.models import Image, PortMapping, RunOptions
from engine.settings import Settings
from engine.state.database import Database
from tests.support.ports import free_port

SLEEP = ("sleep", "60")


def options(name: str = "web", **more: object) -> RunOptions:
    return RunOptions(image="localhost/small:1", name=name, command=SLEEP, detach=True, **more)  # type: ignore[arg-type]


async def test_a_port_published_while_it_runs_is_there_after_a_restart_and_a_stop(engine: Engine, image: Image) -> None:
    web = await engine.run(options())
    made = await engine.publish("web", PortMapping(80, host_ip="127.0.0.1"))
    assert made.host_port
    await engine.restart("web", grace=0)
    assert (await engine.container("web")).ports == (made,)
    await engine.stop("web", grace=0)
    stopped = await engine.container("web")
    assert stopped.ports == stopped.options.ports == (made,)
    assert stopped.id == web.id
    await engine.start("web")
    assert (await engine.container("web")).ports == (made,)


async def test_a_port_taken_away_while_it_runs_does_not_come_back(engine: Engine, image: Image) -> None:
    port = free_port()
    await engine.run(options(ports=(PortMapping(80, port, "127.0.0.1"), PortMapping(80), PortMapping(81))))
    any_of_80 = next(
        one for one in (await engine.container("web")).ports if one.container_port == 80 and one.host_port != port
    )
    await engine.unpublish("web", PortMapping(80, port, "127.0.0.1"))
    assert (await engine.container("web")).options.ports == (PortMapping(80), PortMapping(81))
    await engine.unpublish("web", any_of_80)
    await engine.restart("web", grace=0)
    assert [one.container_port for one in (await engine.container("web")).ports] == [81]
    with pytest.raises(NotFound, match="is not published"):
        await engine.unpublish("web", PortMapping(80, port))


async def test_of_all_exposed_ports_one_is_taken_away_and_the_others_stay(engine: Engine, settings: Settings) -> None:
    database = Database(settings.database)
    exposed = {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}
    add_host_image(settings, database, "localhost/small:1", config=exposed, python=False)
    database.close()
    await engine.run(options(publish_all=True))
    going = next(one for one in (await engine.container("web")).ports if one.protocol == "udp")
    await engine.unpublish("web", going)
    await engine.restart("web", grace=0)
    again = await engine.container("web")
    assert [(one.container_port, one.protocol) for one in again.ports] == [(80, "tcp")]
    assert not again.options.publish_all


async def test_what_cannot_be_written_down_is_not_published_either(
    engine: Engine, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.run(options())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "set_options", full)
    with pytest.raises(OSError, match="No space left"):
        await engine.publish("web", PortMapping(80))
    assert (await engine.container("web")).ports == ()


async def test_without_an_address_nothing_is_published(engine: Engine, image: Image) -> None:
    await engine.run(options(network="none"))
    with pytest.raises(Conflict, match="no network to publish a port of"):
        await engine.publish("web", PortMapping(80))
    assert (await engine.container("web")).options.ports == ()
