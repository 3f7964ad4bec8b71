"""The root of a container that does not run, mounted where nobody else can see it: its files, its volumes, its binds.

A child mounts it in a mount namespace of its own and hands out a detached copy of the tree. That lives as long as its
descriptor: whoever holds it may be killed at any moment, and nothing stays mounted. Source: open_tree(2).
"""

from __future__ import annotations

import _socket
import os

from engine.linux import mounts, namespaces, privileges
from engine.runtime import failure, protocol, remap
from engine.runtime.rootfs import Rootfs
from engine.runtime.start import Reports, StartFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from engine.runtime.bundle import Bundle


def mount_root(bundle: Bundle) -> int:
    """The root directory as a descriptor, for the caller to close. Nothing may start the container meanwhile.

    Of the bundle only the root, the mounts and the users count. Raises RuntimeFailure.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    child = os.fork()
    if child == 0:
        _mount(bundle, failure.Channel(theirs))
    theirs.close()
    reports = Reports(ours)
    try:
        while not reports.take():
            continue
        reports.check()
    except StartFailed as failed:
        failure.raise_from(failed.packet, "cannot mount the container's files")
    finally:
        os.waitpid(child, 0)
    return reports.master


def _mount(bundle: Bundle, channel: failure.Channel) -> NoReturn:
    try:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        users = remap.make(bundle.config)
        rootfs = Rootfs(bundle, channel, users)
        if users >= 0:
            privileges.act_on_files_as(remap.outside(bundle.config, 0), remap.outside(bundle.config, 0, "gidMappings"))
        rootfs.mount()
        rootfs.restrict()
        tree = mounts.clone_tree(rootfs.descriptor, recursive=True)
        channel.send(protocol.STARTED, tree)
        channel.send(protocol.DONE)
    except BaseException as error:  # reported, whatever it is: this process must not return into its parent's code
        channel.fail(error)
    os._exit(0)
