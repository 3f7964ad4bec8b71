"""Pulls: several at once, resumed, and failed ones that say what to do."""

from __future__ import annotations

import random

import pytest

from engine.errors import NotFound, RegistryError, StoreError, Unauthorized, VerificationFailed
from engine.models import Progress
from tests.support.layers import LayerTar
from tests.support.registry import RegistryServer
from tests.tui.conftest import Open
from tui.dialogs.pull import pull_lines
from tui.images.causes import details, diagnose
from tui.images.failure import PullFailed
from tui.pulling import with_progress
from tui.state.pulls import Pull
from tui.widgets.status import chip


def noise(seed: int, size: int) -> bytes:
    return LayerTar().file(f"data{seed}", random.Random(seed).randbytes(size)).build()


def words(pull: Pull) -> str:
    return "\n".join("".join(text for text, _ in line) for line in pull_lines(pull))


def test_a_layer_that_is_resumed_counts_as_here_and_not_as_speed():
    pull = Pull("x")
    pull.advance(Progress("x", "sha256:a", "waiting", 0, 1000), 0.0)
    pull.advance(Progress("x", "sha256:a", "downloading", 600, 1000), 0.0)
    pull.advance(Progress("x", "sha256:a", "downloading", 800, 1000), 1.0)
    assert (pull.resumed, pull.received, pull.fraction, pull.speed) == (600, 200, 0.8, 200.0)
    assert pull.remaining == 1.0
    assert "600B were here from before" in words(pull)


def test_unpacking_has_a_bar_of_its_own_and_shared_layers_are_bytes_saved():
    pull = Pull("x")
    pull.advance(Progress("x", "sha256:a", "exists", 5 << 20, 5 << 20), 0.0)
    pull.advance(Progress("x", "sha256:b", "downloading", 0, 1000), 0.0)
    pull.advance(Progress("x", "sha256:b", "unpacking", 500, 1000), 1.0)
    text = words(pull)
    assert "already here" in text and "saved 5.0M (1 shared layer)" in text
    assert "██████████░░░░░░░░░░ unpacking" in text
    assert pull.fraction == 1.0 and pull.remaining is None


@pytest.mark.parametrize(
    "name", ["redis:7", "123456789012.dkr.ecr.eu-west-1.example.com/platform/team/service:2026-11-30"]
)
@pytest.mark.parametrize("room", [20, 38, 79, 118])
def test_the_chip_of_a_pull_says_how_far_it_is_however_long_the_name_is(name: str, room: int):
    pull = Pull(name)
    pull.advance(Progress(name, "sha256:a", "downloading", 0, 193 << 20), 0.0)
    pull.advance(Progress(name, "sha256:a", "downloading", 100 << 20, 193 << 20), 8.0)
    text = chip(pull, room, wide=False).plain
    assert len(text) <= room
    assert name[-4:] in text
    assert room < 38 or "51%" in text
    assert room < 79 or ("100M/193M" in text and text.endswith("7s"))
    pull.advance(Progress(name, "sha256:a", "unpacking", 0, 193 << 20), 9.0)
    assert chip(pull, room, wide=False).plain.startswith("unpacking ")


def test_there_is_no_bar_without_a_size():
    pull = Pull("x")
    pull.advance(Progress("x", "sha256:b", "downloading", 700, 0), 0.0)
    assert pull.fraction is None
    assert "700B" in words(pull)


@pytest.mark.parametrize(
    ("error", "cause", "keys"),
    [
        (Unauthorized("pull access denied"), "private", "LEry"),
        (RegistryError("registry x answered 429 (too many requests) for the manifest"), "limits", "Lry"),
        (RegistryError("cannot reach registry x: no such host x"), "misspelled", "rEy"),
        (RegistryError("cannot verify the certificate of x: self-signed"), "certificate", "rEy"),
        (VerificationFailed("it does not have the digest"), "damaged or forged", "rEy"),
        (NotFound("manifest for x not found"), "misspelled", "Ery"),
        (StoreError("No space left on device"), "disk is full", "Xry"),
    ],
)
def test_a_failure_has_a_likely_cause_and_keys(error, cause: str, keys: str):
    found = diagnose(error, "ghcr.io/acme/api:dev")
    assert cause in found.cause
    assert "".join(key for key, _ in found.remedies) == keys
    assert "after 1.5 s" in "\n".join(details(error, "x", 1.5))


def test_the_details_of_a_failure_hold_no_object_of_pythons():
    error = RegistryError("cannot reach registry x")
    error.__cause__ = OSError(f"Cannot connect to host x:443 ssl:{object()!r} [Name or service not known]")
    assert details(error, "x", 1.5)[-1] == "from      OSError: Cannot connect to host x:443 [Name or service not known]"


async def test_two_pulls_go_on_at_once_and_one_can_be_cancelled_and_resumed(dashboard: Open, image: object):
    async with RegistryServer() as registry, dashboard(140, 40) as driver:
        one = registry.put_image("team/one", "1", [noise(1, 1_500_000)])
        registry.put_image("team/two", "1", [noise(2, 1_500_000)])
        registry.faults.throttle = 300_000
        for name in ("one", "two"):
            driver.app.start_pull(f"{registry.host}/team/{name}:1")
        await driver.until(
            lambda: len([pull for pull in driver.world.pulls.values() if pull.current > 200_000]) == 2, "both run"
        )
        await driver.press("P")
        await driver.shows("1 of 2 pulls", "team/one:1")
        await driver.press("right_square_bracket")
        await driver.shows("2 of 2 pulls", "team/two:1")
        await driver.press("escape")
        await driver.says("cancelled the pull of")
        await driver.says("are kept")
        registry.faults.throttle = 0
        await driver.says(f"pulled {registry.host}/team/one:1")
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "the dialog has closed")
        await driver.press("P")
        await driver.shows("Pull an image", "goes on with it")
        await driver.press("enter")
        await driver.says(f"pulled {registry.host}/team/two:1")
        assert driver.world.pulls[f"{registry.host}/team/two:1"].resumed > 100_000
        assert one.id in [image.id for image in driver.world.images]


async def test_pulling_what_is_here_says_that_it_is_up_to_date(dashboard: Open):
    async with RegistryServer() as registry, dashboard(100, 30) as driver:
        registry.put_image("team/app", "1", [noise(3, 1000)])
        driver.app.start_pull(f"{registry.host}/team/app:1")
        await driver.says("pulled")
        images = driver.app.dashboard.images
        await driver.shows("2 Images 1")  # the welcome has made room for the lists
        await driver.press("2")
        await driver.until(lambda: images.has_focus_within and images.current(), "the list has the focus")
        await driver.press("P")
        await driver.says(f"{registry.host}/team/app:1 is up to date")
        registry.put_image("team/app", "1", [noise(4, 1000)])
        await driver.press("P")
        await driver.until(lambda: len(driver.world.images) == 2, "the newer one is here")
        await driver.shows("<none>", "prunable", "X:prune 1.0K")


async def test_a_new_name_for_an_image_that_is_here_is_pulled_not_up_to_date(dashboard: Open):
    async with RegistryServer() as registry, dashboard(100, 30) as driver:
        for name in ("team/app", "team/copy"):
            registry.put_image(name, "1", [noise(3, 1000)])
        driver.app.start_pull(f"{registry.host}/team/app:1")
        await driver.says(f"pulled {registry.host}/team/app:1")
        await driver.until(lambda: len(driver.world.images) == 1, "the image is known")
        driver.app.start_pull(f"{registry.host}/team/copy:1")
        await driver.says(f"pulled {registry.host}/team/copy:1")
        assert len(driver.world.images) == 1


async def test_a_refused_pull_leads_to_a_login_and_goes_on(dashboard: Open, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    async with RegistryServer(auth="basic") as registry, dashboard() as driver:
        registry.put_image("team/app", "1", [noise(5, 1000)])
        driver.app.start_pull(f"{registry.host}/team/app:1")
        await driver.shows("Pull failed", "private")
        await driver.press("enter")
        await driver.shows("Details ▾", "Unauthorized")
        await driver.press("L")
        await driver.shows(f"Log in to {registry.host}")
        await driver.type("user")
        await driver.press("enter")
        await driver.type("wrong")
        await driver.press("enter")
        await driver.shows("✗")
        assert "wrong" not in driver.text
        for _ in range(5):
            await driver.press("backspace")
        await driver.type("correct horse")
        await driver.press("enter")
        await driver.says(f"pulled {registry.host}/team/app:1")


async def test_a_wrong_name_can_be_mended_from_the_failure(dashboard: Open):
    async with RegistryServer() as registry, dashboard() as driver:
        registry.put_image("team/app", "1", [noise(6, 1000)])
        driver.app.start_pull(f"{registry.host}/team/app:2")
        await driver.shows("Pull failed", "misspelled")
        await driver.press("y")
        assert "not found" in driver.app.clipboard
        await driver.press("E")
        await driver.shows("Pull an image", "team/app:2")
        await driver.press("end", "backspace")
        await driver.type("1")
        await driver.shows("→")
        await driver.press("enter")
        await driver.says(f"pulled {registry.host}/team/app:1")


async def test_a_wrong_name_in_the_form_is_mended_where_it_stands(dashboard: Open):
    async with RegistryServer() as registry, dashboard() as driver:
        await driver.press("n")
        await driver.type("x")
        form = driver.app.screen
        form._lines["image"].inputs[0].value = f"{registry.host}/team/app:2"
        await driver.press("ctrl+g")
        await driver.shows("Pull failed")
        await driver.press("E")
        await driver.shows("Run a container", "team/app:2")
        await driver.press("end", "backspace")
        await driver.type("1")
        await driver.shows("team/app:1")


async def test_after_a_pull_the_form_is_ready_if_that_was_wished(dashboard: Open, image: object):
    async with RegistryServer() as registry, dashboard() as driver:
        registry.put_image("team/app", "1", [noise(7, 3_000_000)])
        registry.faults.throttle = 300_000
        driver.app.start_pull(f"{registry.host}/team/app:1")
        await driver.press("P")
        await driver.shows("then run it")
        await driver.press("shift+tab", "space")
        await driver.shows("[x] then run it")
        registry.faults.throttle = 0
        await driver.shows("Run a container", "team/app:1")


async def test_the_panel_tells_the_whole_name_the_platform_the_digest_and_the_layers(dashboard: Open):
    async with RegistryServer() as registry, dashboard(100, 30) as driver:
        shared = noise(8, 200_000)
        registry.put_image("team/base", "1", [shared])
        put = registry.put_image("team/app", "1", [shared, noise(9, 1_500_000)])
        driver.app.start_pull(f"{registry.host}/team/base:1")
        await driver.says("pulled")
        registry.faults.throttle = 300_000
        driver.app.start_pull(f"{registry.host}/team/app:1")
        await driver.press("P")
        await driver.shows(f"{registry.host}/team/app:1", "linux/amd64", f"digest {put.digest[:19]}…")
        await driver.shows("1 of 2 layers", "shared: already here", "(1 shared layer)", "eta ", "K/s")
        await driver.press("escape")
        await driver.says("cancelled the pull of")


async def test_a_cancelled_pull_has_not_failed_and_is_offered_to_go_on_with(dashboard: Open):
    async with RegistryServer() as registry, dashboard(140, 40) as driver:
        registry.put_image("team/slow", "1", [noise(10, 1_500_000)])
        registry.faults.throttle = 300_000
        name = f"{registry.host}/team/slow:1"
        await driver.press("escape")  # from the welcome
        driver.app.start_pull(name)
        await driver.until(lambda: driver.world.pulls[name].current > 100_000, "some of it is here")
        await driver.press("P", "escape")
        await driver.shows("■ pilothouse pull", "■ cancelled the pull of", "are kept")
        assert driver.world.log[-1].state == "cancelled"
        assert "✗" not in driver.text
        await driver.press("P")
        await driver.shows("Pull an image", name, "Enter goes on with it")
        assert driver.app.focused.value == name
        registry.faults.throttle = 0
        await driver.press("enter")
        await driver.says(f"pulled {name}")


async def test_a_failure_that_stands_in_a_panel_is_not_told_in_the_status_row_too(dashboard: Open):
    async with RegistryServer() as registry, dashboard(100, 30) as driver:
        registry.put_image("team/app", "1", [noise(11, 1000)])
        driver.app.start_pull(f"{registry.host}/team/app:2")
        await driver.shows("Pull failed", "manifest unknown")
        assert "manifest unknown" not in driver.app.dashboard.status.render().plain
        await driver.press("escape")
        assert "manifest unknown" not in driver.app.dashboard.status.render().plain
        await driver.press("n")  # where another dialog is open, the row is all that tells of it
        driver.app.start_pull(f"{registry.host}/team/app:3")
        status = driver.app.dashboard.status
        await driver.until(lambda: "team/app:3 not found" in status.render().plain, "the row tells it")
        await driver.press("escape", "P")
        await driver.shows("Pull failed", "team/app:3")


async def test_the_failure_goes_on_below_its_beginning_and_the_footer_names_its_keys(dashboard: Open):
    error = VerificationFailed(f"it does not have the digest {'0123456789' * 9}", hint="and advice that " * 6)
    async with dashboard() as driver:
        pull = Pull("x", outcome="failed", error=error)
        driver.app.push_screen(PullFailed(pull))
        await driver.shows("Likely cause")

        def below(words: str) -> str:
            """What stands under the beginning of the text that begins with `words`, and before that."""
            lines = driver.text.splitlines()
            y = next(y for y, line in enumerate(lines) if words in line)
            x = lines[y].index(words)
            assert lines[y + 1][6:x].strip() == "", driver.text
            return lines[y + 1][x]

        assert below("what came is damaged").strip()
        assert driver.text.splitlines()[-1].split("  ")[:5] == [
            " r Retry",
            "E Edit",
            "y Copy",
            "Enter Details",
            "Esc Close",
        ]
        await driver.press("enter")
        await driver.shows("advice")
        assert below("and advice").strip()
        assert below("VerificationFailed").strip()
        await driver.press("y")
        assert driver.last == f"copied {len(driver.app.clipboard.splitlines())} lines"
        await driver.press("X", "L")  # which would do nothing about it
        assert driver.app.screen.is_modal
        await driver.pilot.click(offset=(2, 23))
        await driver.until(lambda: not driver.app.screen.is_modal, "a click on the footer retries")
        driver.app.push_screen(PullFailed(pull))
        await driver.shows("Likely cause")
        await driver.pilot.resize_terminal(44, 24)
        assert below("what came").strip(), "wrapped anew"


async def test_retry_from_the_failure_pulls_again(dashboard: Open):
    async with RegistryServer() as registry, dashboard() as driver:
        registry.put_image("team/app", "1", [noise(12, 1000)])
        driver.app.start_pull(f"{registry.host}/team/app:2")
        await driver.shows("Pull failed", "r  retry")
        registry.put_image("team/app", "2", [noise(12, 1000)])
        await driver.press("r")
        await driver.says(f"pulled {registry.host}/team/app:2")


async def test_a_pull_that_failed_on_the_welcome_can_be_retried_and_edited_in_the_form(dashboard: Open):
    async with RegistryServer() as registry, dashboard() as driver:
        await driver.press("slash")
        await driver.type(f"{registry.host}/team/app:1")
        await driver.press("enter")
        await driver.shows("Pull failed", "E  edit the name")
        await driver.press("E")
        await driver.shows("Run a container", "team/app:1")
        await driver.press("escape", "escape")


async def test_a_full_disk_leads_to_what_can_be_pruned(dashboard: Open, image: object):
    async with dashboard() as driver:
        driver.app.push_screen(PullFailed(Pull("x", outcome="failed", error=StoreError("No space left on device"))))
        await driver.shows("This machine said", "the disk is full")
        await driver.press("X")
        await driver.shows("Prune: what would go")


async def test_what_nobody_foresaw_names_its_report_in_the_details(dashboard: Open):
    async def broken(engine: object, progress: object) -> None:
        raise ZeroDivisionError("surprise")

    async with dashboard() as driver:
        with_progress(
            driver.app.operations,
            driver.world,
            "x:1",
            "pilothouse pull x:1",
            broken,
            done="",
            over=driver.app.pull_over,
        )
        await driver.shows("Pull failed", "something went wrong that should not have", "(ZeroDivisionError: surprise)")
        await driver.press("enter")
        await driver.shows("Details ▾", "report: ")
        assert "Traceback" not in driver.text
