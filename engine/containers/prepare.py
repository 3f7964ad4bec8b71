"""The bundle of a container about to start: config.json, monitor.json and the files the engine lends it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from engine.containers import health, own_users, spec, starter, users, volumes
from engine.containers.records import Record
from engine.errors import StoreError
from engine.images import store
from engine.models import Endpoint
from engine.network import resolver
from engine.runtime import logfile
from engine.settings import Settings
from engine.state.database import Database

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(
    settings: Settings, database: Database, record: Record, endpoint: Endpoint | None, exit_command: Sequence[str]
) -> None:
    """Write what the runtime needs to start the container, anew for every start: the endpoint differs each time.

    Raises InvalidInput (options), RuntimeFailure (user), StoreError.
    """
    options = record.options
    image = store.image_of_container(settings, database, record.image_id)
    lower = store.lower_directories(image)
    hostname = options.hostname or (os.uname().nodename if endpoint is None else record.id[:12])
    directory = settings.container_dir(record.id)
    first_user = own_users.first(settings, record.id) if options.userns == "auto" else 0
    config = spec.runtime_spec(
        settings,
        record.id,
        options,
        image.config,
        endpoint,
        hostname=hostname,
        user=users.resolve(lower, options.user or image.config.user),
        mounts=volumes.resolve(settings, record.id, options.mounts, image.config),
        files=[(str(directory / "etc" / name), f"/etc/{name}") for name in ("hosts", "hostname", "resolv.conf")],
        first_user=first_user,
    )
    monitor = spec.monitor_settings(
        settings,
        record.id,
        options,
        name=record.name,
        image=record.image,
        labels={**image.config.labels, **options.labels},
        lower=lower,
        stop_signal=record.stop_signal,
        exit_command=exit_command,
        log={"max_size": logfile.MAX_SIZE, "max_files": logfile.MAX_FILES},
        health=health.probe(options, image.config),
    )
    monitor[starter.KEY] = starter.starter(settings)
    address = endpoint.ip_address if endpoint else ""
    try:
        _write(directory / "etc" / "hostname", f"{hostname}\n")
        hosts = resolver.hosts_file(hostname, address, options.extra_hosts, endpoint.gateway if endpoint else "")
        _write(directory / "etc" / "hosts", hosts)
        _write(directory / "etc" / "resolv.conf", resolver.resolv_conf(settings, options.dns))
        _write(directory / "config.json", _dump(config), mode=0o600)
        _write(directory / "monitor.json", _dump(monitor), mode=0o600)
    except OSError as error:
        raise StoreError(
            f"cannot write {error.filename}: {error.strerror}", hint="check that the disk is neither full nor read-only"
        ) from error


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=True)


def _write(path: str | os.PathLike[str], text: str, mode: int = 0o644) -> None:
    # in place, not by rename: a running container has the old inode mounted and would not see a new one
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
