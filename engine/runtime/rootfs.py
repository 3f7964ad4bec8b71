"""The container's view of the filesystem, built by its init before it enters it: overlay, mounts, devices, masks.

Every target is resolved by openat2 inside the root and acted on by descriptor. Source: runtime-spec, config-linux.md.
"""

from __future__ import annotations

import errno
import os
import stat

from engine.errors import RuntimeFailure
from engine.linux import mounts, namespaces, paths, terminals
from engine.runtime import remap
from engine.runtime.devices import DEFAULT_NODES
from engine.runtime.mount_options import MountOptions, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.runtime.bundle import Bundle
    from engine.runtime.failure import Channel

_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)
_PROPAGATION = {"private": mounts.MS_PRIVATE, "slave": mounts.MS_SLAVE, "shared": mounts.MS_SHARED}
# Files of /proc that LXCFS and the like replace; anything else mounted there could forge what the runtime reads.
_PROC_EXCEPTIONS = frozenset(
    f"/proc/{name}"
    for name in ("cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev")
)


class Rootfs:
    """The root under construction. `descriptor` is its directory, `console` the terminal's two ends if there is one."""

    def __init__(self, bundle: Bundle, channel: Channel, users: int = -1) -> None:
        self._bundle, self._channel, self._users = bundle, channel, users
        self._linux = bundle.config.get("linux", {})
        self._outside = -1  # our own mount namespace, where this machine's root is a chroot in it
        self.descriptor = -1
        self.console: tuple[int, int] | None = None

    def build(self) -> None:
        """The steps, in order. Raises OSError and RuntimeFailure; the channel knows the stage."""
        config = self._bundle.config
        self.mount()
        self._channel.stage = "create devices"
        self._make_devices()
        if config["process"].get("terminal"):
            self._channel.stage = "open the terminal"
            self._open_console(config["process"].get("consoleSize"))
        self._channel.stage = "create the working directory"
        os.close(paths.make_directories(self.descriptor, config["process"]["cwd"]))

    def mount(self) -> None:
        """The root, and what the bundle mounts in it: all that there is of a container that does not run."""
        config = self._bundle.config
        self._channel.stage = "open mount sources"
        wanted = config.get("mounts", [])
        sources = [_open_source(mount) for mount in wanted]
        self._channel.stage = "mount rootfs"
        # Private whatever the bundle says, or our mounts would appear on the host: the sources are cloned already, and
        # keep their ties to it.
        try:
            mounts.set_propagation_of_all(mounts.MS_PRIVATE)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._outside = _leave_chroot()
        self._mount_root()
        for mount, source in zip(wanted, sources, strict=True):
            self._channel.stage = f"mount {mount['destination']}"
            self._mount(mount, source)

    def restrict(self) -> None:
        """What must come after everything that still writes: masked and read-only paths, a read-only root."""
        self._channel.stage = "mask paths"
        _mask(self.descriptor, self._linux.get("maskedPaths") or ())
        self._channel.stage = "make paths read-only"
        for path in self._linux.get("readonlyPaths") or ():
            _make_read_only(self.descriptor, path)
        if propagation := self._linux.get("rootfsPropagation"):
            mounts.set_attributes(self.descriptor, propagation=_PROPAGATION[propagation.removeprefix("r")])
        if self._bundle.config["root"].get("readonly"):
            mounts.set_attributes(self.descriptor, on=mounts.MOUNT_ATTR_RDONLY)

    def enter(self) -> None:
        """Make it the root directory of this process; the host's tree is gone afterwards."""
        self._channel.stage = "pivot_root"
        if self._outside >= 0:
            namespaces.enter(self._outside, namespaces.CLONE_NEWNS)
            os.close(self._outside)
        os.fchdir(self.descriptor)
        mounts.pivot_root_here()

    def _mount_root(self) -> None:
        monitor = self._bundle.monitor
        target = os.path.join(self._bundle.container_dir, "rootfs")
        if monitor.get("lower"):
            if self._users >= 0:
                for path in monitor["lower"]:
                    self._show_as_the_containers(path)
            _mount_overlay(
                monitor["lower"], monitor["upper"], monitor["work"], target, volatile=bool(monitor.get("remove"))
            )
        else:  # a bundle made by someone else, with a root of its own
            source = os.path.join(self._bundle.container_dir, self._bundle.config["root"]["path"])
            tree = mounts.clone_tree(mounts.AT_FDCWD, source, recursive=True)
            directory = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            mounts.attach(tree, directory, source)
            target = source
        self.descriptor = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def _show_as_the_containers(self, path: str) -> None:
        """Lay a mount of a layer over itself, in which what is root's on the disk is the container's root's."""
        tree = mounts.clone_tree(mounts.AT_FDCWD, path)
        _map_users(tree, self._users, path)
        directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        mounts.attach(tree, directory, path)
        os.close(directory)
        os.close(tree)

    def _mount(self, mount: dict[str, Any], source: int) -> None:
        destination = mount["destination"]
        options = parse(mount.get("options") or ())
        kind = mount.get("type", "bind")
        if not options.bind and kind in ("proc", "sysfs"):
            # An image whose /proc is a symlink would have the masks and our own writes go elsewhere (CVE-2019-19921).
            target = _ordinary_directory(self.descriptor, destination)
        else:
            target = _target(self.descriptor, destination, directory=source < 0 or paths.is_directory(source))
        try:
            if options.bind:
                if destination.rstrip("/") == "/proc" and paths.filesystem_type(source) != paths.PROC_MAGIC:
                    raise RuntimeFailure('"/proc" cannot be mounted because the source is not a proc filesystem')
                _configure_bind(source, options)
                if options.idmap and self._users >= 0:
                    _map_users(source, self._users, mount["source"])
                mounts.attach(source, target, destination)
            elif kind == "cgroup":
                _mount_cgroups(target, destination, options)
            else:
                _mount_new(kind, mount.get("source", kind), target, destination, options)
        finally:
            os.close(target)

    def _make_devices(self) -> None:
        listed = self._bundle.config.get("mounts", [])
        there = [mount for mount in listed if mount["destination"].rstrip("/") == "/dev"]
        if not there or parse(there[-1].get("options") or ()).bind:
            return  # the image's /dev, or one of the host's: nothing of ours is put there
        dev = paths.open_in_root(self.descriptor, "/dev", os.O_PATH | os.O_DIRECTORY)
        try:
            for path, _, major, minor, mode in DEFAULT_NODES:
                number = os.makedev(major, minor)
                _make_device(dev, path.removeprefix("/dev/"), stat.S_IFCHR | mode, number, *self._owner(0, 0))
            for name, destination in _LINKS:
                try:
                    os.symlink(destination, name, dir_fd=dev)
                except FileExistsError:
                    continue
        finally:
            os.close(dev)
        for device in self._linux.get("devices") or ():
            parent, name = paths.split(device["path"])
            directory = paths.make_directories(self.descriptor, parent)
            kind = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}[device["type"]]
            number = os.makedev(device.get("major", 0), device.get("minor", 0))
            mode = kind | device.get("fileMode", 0o666)
            _make_device(directory, name, mode, number, *self._owner(device.get("uid", 0), device.get("gid", 0)))
            os.close(directory)

    def _owner(self, uid: int, gid: int) -> tuple[int, int]:
        config = self._bundle.config
        return remap.outside(config, uid), remap.outside(config, gid, "gidMappings")

    def _open_console(self, size: dict[str, int] | None) -> None:
        devpts = paths.open_in_root(self.descriptor, "/dev/pts", os.O_PATH | os.O_DIRECTORY)
        master, slave = terminals.open_pair(devpts)
        os.close(devpts)
        if size:
            terminals.set_size(master, size.get("width", 0), size.get("height", 0))
        target = _target(self.descriptor, "/dev/console", directory=False)
        console = mounts.clone_tree(slave)
        mounts.attach(console, target, "/dev/console")
        os.close(console)
        os.close(target)
        self.console = (master, slave)


def _map_users(tree: int, users: int, path: str) -> None:
    try:
        mounts.map_users(tree, users, path)
    except OSError as error:
        raise RuntimeFailure(
            f"the file system of {path} cannot show its files as another user's: {error.strerror}",
            stage="user namespace",
            hint="leave --userns out, or keep the store on ext4, xfs or btrfs (Linux 5.19 or newer)",
        ) from error


def _mount_overlay(lower: list[str], upper: str, work: str, target: str, *, volatile: bool) -> None:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    opened = [os.open(path, flags) for path in (*lower, upper, work, target)]
    # By descriptor: any number of layers fits into the one page of mount(2)'s options, whatever their names hold,
    # and the container's /proc/mounts tells nothing of the host.
    *layers, above, beside, place = (f"/proc/self/fd/{fd}" for fd in opened)
    options = f"lowerdir={':'.join(layers)},upperdir={above},workdir={beside}"
    _clear_volatile_mark(beside)
    if volatile:  # deleted when it ends: unmounting must not wait until all of the host's disk is written
        options += ",volatile"
    try:
        mounts.mount_by_options("overlay", place, options)
    except OSError as error:
        raise _overlay_refused(error, upper) from error
    for fd in opened:
        os.close(fd)


def _overlay_refused(error: OSError, upper: str) -> Exception:
    if error.errno == errno.ENODEV:
        return RuntimeFailure(
            "the kernel has no overlay file system", stage="mount rootfs", hint="load its module: modprobe overlay"
        )
    if error.errno == errno.EINVAL:
        return RuntimeFailure(
            f"the file system of {upper} cannot hold the writable layer of an overlay",
            stage="mount rootfs",
            hint="keep the store on ext4, xfs, btrfs or tmpfs: choose another --root",
        )
    return error


def _clear_volatile_mark(work: str) -> None:
    """overlayfs refuses to mount again what was mounted volatile: after a crash of the host files may be torn.

    One that is removed when it ends is never started after that. Source: Documentation/filesystems/overlayfs.rst.
    """
    mark = f"{work}/work/incompat/volatile"
    try:
        os.unlink(f"{mark}/dirty")
        os.rmdir(mark)
    except FileNotFoundError:
        return


def _leave_chroot() -> int:
    """For an engine in a chroot: give the mounts a root that is a mount point, without which none can be made private.

    Entering a mount namespace, even one's own, sets the root to the namespace's. Its tree is made private there, the
    chroot's directory a mount of its own, and that the root again: all paths mean what they meant. Returns the
    namespace as a descriptor, because `pivot_root` has to be done from outside, or what is left of the host would stay
    the namespace's root. Source: setns(2), pivot_root(2), "Notes".
    """
    inside = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    namespaces.enter(namespace, namespaces.CLONE_NEWNS)
    mounts.set_propagation_of_all(mounts.MS_PRIVATE)
    tree = mounts.clone_tree(inside, recursive=True)
    mounts.attach(tree, inside, "/")
    os.fchdir(tree)
    os.chroot(".")
    for descriptor in (tree, inside):
        os.close(descriptor)
    return namespace


def _open_source(mount: dict[str, Any]) -> int:
    """A bind mount's tree, cloned while the host's propagation is still in force; -1 for other mounts."""
    options = parse(mount.get("options") or ())
    if not options.bind:
        return -1
    return mounts.clone_tree(mounts.AT_FDCWD, mount["source"], recursive=options.recursive)


def _configure_bind(tree: int, options: MountOptions) -> None:
    mounts.set_attributes(tree, propagation=options.propagation or mounts.MS_PRIVATE, recursive=True)
    if options.on or options.off:
        mounts.set_attributes(tree, on=options.on, off=options.off, recursive=options.recursive)


def _mount_new(kind: str, source: str, target: int, destination: str, options: MountOptions) -> None:
    data = [("source", source), *options.data]
    if kind == "tmpfs" and not any(key == "mode" for key, _ in data):
        data.append(("mode", f"{stat.S_IMODE(os.fstat(target).st_mode):o}"))
    tree = mounts.new_filesystem(kind, data, options.on)
    mounts.attach(tree, target, destination)
    os.close(tree)


def _mount_cgroups(target: int, destination: str, options: MountOptions) -> None:
    """What the container sees of its cgroup: the v2 tree, or a tmpfs with one mount for each v1 hierarchy."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        hierarchies = [line.split(":", 2)[1] for line in file]
    controllers = [names for names in hierarchies if names]
    if not controllers:
        tree = mounts.new_filesystem("cgroup2", [("source", "cgroup")], options.on)
        mounts.attach(tree, target, destination)
        os.close(tree)
        return
    top = mounts.new_filesystem("tmpfs", [("source", "tmpfs"), ("mode", "755")], options.on & ~mounts.MOUNT_ATTR_RDONLY)
    mounts.attach(top, target, destination)
    for names in controllers:
        if names.startswith("name="):
            data: list[tuple[str, str | None]] = [("source", "cgroup"), ("none", None), ("name", names[5:])]
        else:
            data = [("source", "cgroup"), *((name, None) for name in names.split(","))]
        directory = names.removeprefix("name=")
        os.mkdir(directory, 0o755, dir_fd=top)
        below = paths.open_in_root(top, directory, os.O_PATH | os.O_DIRECTORY)
        tree = mounts.new_filesystem("cgroup", data, options.on)
        mounts.attach(tree, below, f"{destination}/{directory}")
        os.close(tree)
        os.close(below)
        for name in directory.split(",") if "," in directory else ():
            os.symlink(directory, name, dir_fd=top)
    mounts.set_attributes(top, on=options.on)
    os.close(top)


def _target(root: int, destination: str, *, directory: bool) -> int:
    """The mount point, made if it is missing. Raises RuntimeFailure for one inside /proc."""
    plain = "/".join(paths.split(destination)).replace("//", "/")
    if plain.startswith("/proc/") and plain not in _PROC_EXCEPTIONS:
        raise _inside_proc(destination)
    target = paths.make_directories(root, destination) if directory else paths.make_file(root, destination)
    if paths.filesystem_type(target) == paths.PROC_MAGIC and plain not in ("/proc", *_PROC_EXCEPTIONS):
        os.close(target)  # by a symlink
        raise _inside_proc(destination)
    if paths.is_directory(target) != directory:
        os.close(target)
        raise RuntimeFailure(
            f"cannot mount on {destination}: the source is a {'directory' if directory else 'file'}, the target is not",
            stage="mount",
            hint="mount a directory onto a directory, or a file onto a file",
        )
    return target


def _inside_proc(destination: str) -> RuntimeFailure:
    sentence = f'"{destination}" cannot be mounted because it is inside /proc'
    return RuntimeFailure(sentence, stage="mount", hint="mount it somewhere else")


def _ordinary_directory(root: int, destination: str) -> int:
    os.close(paths.make_directories(root, destination))
    try:
        return paths.open_in_root(root, destination, os.O_PATH | os.O_DIRECTORY, resolve=paths.RESOLVE_NO_SYMLINKS)
    except OSError as error:
        raise RuntimeFailure(
            f"{destination} of the image must be an ordinary directory", stage="mount", hint="use another image"
        ) from error


def _make_device(directory: int, name: str, mode: int, number: int, uid: int, gid: int) -> None:
    try:
        os.mknod(name, mode, number, dir_fd=directory)
    except FileExistsError:
        there = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_IFMT(there.st_mode) != stat.S_IFMT(mode) or there.st_rdev != number:
            raise
        return
    os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)


def _mask(root: int, masked: tuple[str, ...] | list[str]) -> None:
    """Hide paths: an empty read-only tmpfs over a directory, the null device over a file. Missing ones are left out."""
    null = empty = -1
    for path in masked:
        target = _existing(root, path)
        if target < 0:
            continue
        if paths.is_directory(target):
            # A detached mount cannot be cloned before Linux 6.15: the first one is attached, the next ones copy it.
            if empty >= 0:
                tree = mounts.clone_tree(empty)
            else:
                data: list[tuple[str, str | None]] = [("source", "tmpfs"), ("mode", "555"), ("size", "0")]
                tree = mounts.new_filesystem("tmpfs", data, mounts.MOUNT_ATTR_RDONLY)
                empty = os.dup(tree)
        else:
            if null < 0:
                null = _null_device(root)
            tree = mounts.clone_tree(null)
        mounts.attach(tree, target, path)
        os.close(tree)
        os.close(target)
    for fd in (null, empty):
        if fd >= 0:
            os.close(fd)


def _null_device(root: int) -> int:
    """The container's /dev/null, verified to be that: a symlink or another file there would unmask (CVE-2025-31133)."""
    null = paths.open_in_root(root, "/dev/null", resolve=paths.RESOLVE_NO_SYMLINKS)
    found = os.fstat(null)
    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != os.makedev(1, 3):
        raise RuntimeFailure("/dev/null of the container is not the null device", stage="mask paths")
    return null


def _make_read_only(root: int, path: str) -> None:
    target = _existing(root, path)
    if target < 0:
        return
    tree = mounts.clone_tree(target, recursive=True)
    mounts.set_attributes(tree, on=mounts.MOUNT_ATTR_RDONLY, recursive=True)
    mounts.attach(tree, target, path)
    os.close(tree)
    os.close(target)


def _existing(root: int, path: str) -> int:
    try:
        return paths.open_in_root(root, path)
    except (FileNotFoundError, NotADirectoryError):
        return -1
