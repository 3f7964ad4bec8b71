"""`pilothouse dash --web`: the same dashboard through a browser's websocket, and a door for one browser only."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import CookieJar
from yarl import URL

from engine.cli.main import main
from engine.settings import Settings
from tests.conftest import environment
from tests.tui.conftest import PATIENCE


@pytest.fixture
async def address(settings: Settings) -> AsyncIterator[str]:
    """The address a server of its own has printed; the server is interrupted afterwards, as by ctrl+c."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli.main", "dash", "--web", "--theme", "light",
        stdout=asyncio.subprocess.PIPE, env=environment(settings) | {"XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        yield re.search(r"http://\S+", line)[0]
    finally:
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


def browser() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=CookieJar(unsafe=True))  # unsafe: cookies of an address, not of a name


async def _websocket(session: aiohttp.ClientSession, page: URL, **headers: str) -> aiohttp.ClientWebSocketResponse:
    host = f"http://{page.host}:{page.port}"
    return await session.ws_connect(
        page / "ws", params={"width": "90", "height": "24"}, headers={"Origin": host} | headers
    )


async def test_a_browser_gets_the_dashboard_and_its_keys_work(address: str):
    async with browser() as session:
        async with session.get(address) as answer:
            page = answer.url
            html = await answer.text()
        assert answer.status == 200 and "token" not in str(page)
        assert "Pilothouse" in html and f"ws://127.0.0.1:{page.port}{page.path}ws" in html
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        socket = await _websocket(session, page)
        seen = b""
        async with asyncio.timeout(PATIENCE):
            while b"Welcome aboard" not in seen:
                seen += await socket.receive_bytes()
            await socket.send_json(["stdin", "q"])
            async for message in socket:  # until the dashboard has closed
                assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)
        assert socket.close_code is not None


async def test_the_address_works_once_and_its_page_needs_the_cookie(address: str):
    async with browser() as first, browser() as second:
        page = (await first.get(address)).url
        assert (await first.get(page)).status == 200  # a reload
        assert (await second.get(address)).status == 403
        assert (await second.get(page)).status == 403
        assert (await second.get(page / "static/css/xterm.css")).status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await _websocket(second, page)


async def test_other_pages_and_other_names_are_kept_out(address: str):
    async with browser() as session:
        assert (await session.get(address, headers={"Host": "rebound.example"})).status == 403  # and the token is kept
        page = (await session.get(address)).url
        assert (await session.get(page, headers={"Host": "rebound.example"})).status == 403
        assert (await session.get(page, headers={"Host": "localhost:1234"})).status == 200  # through a tunnel
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await _websocket(session, page, Origin="http://127.0.0.1:1")
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(page / "ws")


def test_a_port_that_is_taken_and_a_theme_that_is_not_there_are_told(capsys: pytest.CaptureFixture[str]):
    assert main(["dash", "--web", "--web-port", "99999"]) == 1
    assert "port 99999 of 127.0.0.1 cannot be had" in capsys.readouterr().err
    assert main(["dash", "--web", "--theme", "drak"]) == 1
    assert "no such theme: drak" in capsys.readouterr().err
