"""The JSON documents that `docker inspect` prints, for scripts that read them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from engine.containers import health, volumes
from engine.images import store
from engine.models import Container, Image, PortMapping, RunOptions, State, Volume
from engine.runtime import healthfile
from engine.settings import Settings
from engine.state.database import Database

NEVER = "0001-01-01T00:00:00Z"


def container(settings: Settings, database: Database, container: Container) -> dict[str, Any]:
    """A container, in the fields and words of `docker inspect`."""
    options = container.options
    image = store.image_of_container(settings, database, container.image_id)
    directory = settings.container_dir(container.id)
    endpoint = container.endpoint
    resources = options.resources
    return {
        "Id": container.id,
        "Created": timestamp(container.created),
        "Path": container.command[0] if container.command else "",
        "Args": list(container.command[1:]),
        "State": {
            "Status": str(container.state),
            "Running": container.running or container.state is State.RESTARTING,
            "Paused": container.state is State.PAUSED,
            "Restarting": container.state is State.RESTARTING,
            "OOMKilled": container.oom_killed,
            "Dead": container.state is State.DEAD,
            "Pid": container.pid,
            "ExitCode": container.exit_code,
            "Error": container.error,
            "StartedAt": timestamp(container.started),
            "FinishedAt": timestamp(container.finished),
            **_health(directory, container),
        },
        "Image": container.image_id,
        "ResolvConfPath": str(directory / "etc/resolv.conf"),
        "HostnamePath": str(directory / "etc/hostname"),
        "HostsPath": str(directory / "etc/hosts"),
        "LogPath": str(directory / "log/container.log"),
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": "overlayfs",
        "Platform": image.platform.os,
        "HostConfig": {
            "Binds": [
                f"{mount.source}:{mount.target}{':ro' if mount.read_only else ''}"
                for mount in options.mounts
                if mount.kind in ("bind", "volume") and mount.source
            ]
            or None,
            "NetworkMode": options.network,
            "PortBindings": _bindings(options.ports),
            "RestartPolicy": {
                "Name": options.restart.name,
                "MaximumRetryCount": options.restart.maximum_retry_count,
            },
            "AutoRemove": options.remove,
            "CapAdd": list(options.cap_add) or None,
            "CapDrop": list(options.cap_drop) or None,
            "Dns": list(options.dns),
            "ExtraHosts": list(options.extra_hosts) or None,
            "Privileged": options.privileged,
            "PublishAllPorts": options.publish_all,
            "ReadonlyRootfs": options.read_only,
            "SecurityOpt": list(options.security_opt) or None,
            "ShmSize": options.shm_size,
            "Memory": resources.memory,
            "MemorySwap": resources.memory_swap,
            "NanoCpus": round(resources.cpus * 1e9),
            "PidsLimit": resources.pids or None,
            "Ulimits": [{"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard} for limit in options.ulimits]
            or None,
            "Init": options.init,
        },
        "GraphDriver": {
            "Name": "overlayfs",
            "Data": {
                "LowerDir": ":".join(store.lower_directories(image)),
                "UpperDir": str(directory / "upper"),
                "WorkDir": str(directory / "work"),
            },
        },
        "Mounts": [
            {
                "Type": mount.kind,
                **({"Name": mount.volume} if mount.volume else {}),
                "Source": "" if mount.kind == "tmpfs" else mount.source,
                "Destination": mount.destination,
                "Mode": ",".join(mount.options),
                "RW": "ro" not in mount.options,
            }
            for mount in volumes.resolve(settings, container.id, options.mounts, image.config)
        ],
        "Config": {
            "Hostname": options.hostname or container.id[:12],
            "User": options.user or image.config.user,
            "Tty": options.tty,
            "OpenStdin": options.interactive,
            "Env": [*image.config.env, *options.env],
            "Cmd": list(options.command) or _list(image.config.cmd),
            "Image": container.image,
            "Volumes": {target: {} for target in image.config.volumes} or None,
            "WorkingDir": options.working_dir or image.config.working_dir,
            "Entrypoint": _list(image.config.entrypoint if options.entrypoint is None else options.entrypoint),
            "Labels": {**image.config.labels, **options.labels},
            "StopSignal": container.stop_signal,
            "StopTimeout": int(container.stop_timeout),
            "ExposedPorts": {port: {} for port in image.config.exposed_ports} or None,
            **_healthcheck(options, image),
        },
        "NetworkSettings": {
            "Bridge": settings.bridge if options.network == "bridge" else "",
            "SandboxKey": endpoint.netns if endpoint else "",
            "Ports": _bindings(container.ports, image.config.exposed_ports) if container.running else {},
            "Gateway": endpoint.gateway if endpoint else "",
            "IPAddress": endpoint.ip_address if endpoint else "",
            "IPPrefixLen": endpoint.prefix_length if endpoint else 0,
            "MacAddress": endpoint.mac_address if endpoint else "",
            "Networks": {
                options.network: {
                    "IPAddress": endpoint.ip_address if endpoint else "",
                    "IPPrefixLen": endpoint.prefix_length if endpoint else 0,
                    "Gateway": endpoint.gateway if endpoint else "",
                    "MacAddress": endpoint.mac_address if endpoint else "",
                }
            },
        },
    }


def _health(directory: Path, container: Container) -> dict[str, Any]:
    """Docker names it only for a container that has a health check and was started."""
    if not container.health:
        return {}
    log = [
        {
            "Start": timestamp(result.start),
            "End": timestamp(result.end),
            "ExitCode": result.exit_code,
            "Output": result.output,
        }
        for result in healthfile.results(os.fspath(directory))
    ]
    return {"Health": {"Status": container.health, "FailingStreak": container.failing_streak, "Log": log}}


def _healthcheck(options: RunOptions, image: Image) -> dict[str, Any]:
    found = health.document(health.effective(options, image.config))
    return {"Healthcheck": found} if found else {}


def volume(volume: Volume) -> dict[str, Any]:
    """A volume, in the fields and words of `docker volume inspect`."""
    return {
        "CreatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(volume.created)),
        "Driver": "local",
        "Labels": volume.labels or None,
        "Mountpoint": volume.path,
        "Name": volume.name,
        "Options": None,
        "Scope": "local",
    }


def image(settings: Settings, database: Database, image: Image) -> dict[str, Any]:
    """An image, in the fields and words of `docker image inspect`."""
    row = database.query("SELECT config FROM images WHERE id = ?", (image.id,))[0]
    raw: dict[str, Any] = json.loads(row["config"])
    return {
        "Id": image.id,
        "RepoTags": [store.familiar(reference) for reference in image.references],
        "RepoDigests": [store.familiar(digest) for digest in image.digests],
        "Comment": str(raw.get("comment", "")),
        "Created": timestamp(image.created),
        "Author": str(raw.get("author", "")),
        "Config": raw.get("config") or {},
        "Architecture": image.platform.architecture,
        "Variant": image.platform.variant,
        "Os": image.platform.os,
        "Size": image.size,
        "GraphDriver": {
            "Name": "overlayfs",
            "Data": {"LowerDir": ":".join(store.lower_directories(image))},
        },
        "RootFS": {"Type": "layers", "Layers": [layer.diff_id for layer in image.layers]},
        "Descriptor": {"digest": image.manifest_digest},
    }


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, Docker's zero time for 0."""
    if not seconds:
        return NEVER
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1e9):09d}Z"


def _bindings(mappings: tuple[PortMapping, ...], exposed: tuple[str, ...] = ()) -> dict[str, Any]:
    ports: dict[str, Any] = {(port if "/" in port else f"{port}/tcp"): None for port in exposed}
    for mapping in mappings:
        host_port = str(mapping.host_port) if mapping.host_port else ""
        found = ports.setdefault(f"{mapping.container_port}/{mapping.protocol}", None) or []
        for host_ip in (mapping.host_ip,) if mapping.host_ip else ("0.0.0.0", "::"):
            found.append({"HostIp": host_ip, "HostPort": host_port})
        ports[f"{mapping.container_port}/{mapping.protocol}"] = found
    return ports


def _list(value: tuple[str, ...] | None) -> list[str] | None:
    return None if value is None else list(value)
