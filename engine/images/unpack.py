"""Entries of a layer's tar into a snapshot directory, in the form overlayfs takes as a lower directory.

No path of a layer is ever resolved by the kernel as a string: every component is opened by itself, relative to the
descriptor of the one above, never through a symbolic link. Links on the way are followed by hand, within the snapshot,
as a chroot would. Sources: image-spec, layer.md; Documentation/filesystems/overlayfs.rst, "whiteouts and opaque
directories".
"""

from __future__ import annotations

import errno
import os
import stat

from engine.errors import BadImage, EngineError, PermissionNeeded, StoreError
from engine.images.attributes import set_attributes, set_attributes_at, set_times, shown
from engine.images.tar import BLOCK, CHARACTER, DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK, Entry, TarReader
from engine.images.trees import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 256  # directories within each other; each costs a descriptor while it is being filled
MAX_DEVICES = 4096  # nodes in one layer; a complete /dev of a distribution has a few hundred
MAX_LINKS = 40  # symbolic links in one path, as in the kernel (path_resolution(7))

WHITEOUT = b".wh."
WHITEOUT_META = b".wh..wh."
OPAQUE = b".wh..wh..opq"
OPAQUE_XATTR = b"trusted.overlay.opaque"

_IMPLIED_MODE = 0o755
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Unpacked:
    """What a layer became. `implied`: directories that the archive fills without naming them, in relative paths."""

    __slots__ = ("entries", "implied", "size")

    def __init__(self, size: int, entries: int, implied: list[bytes]) -> None:
        self.size = size  # bytes of file content
        self.entries = entries
        self.implied = implied


def unpack(reader: TarReader, directory: str, *, layer: bool = True) -> Unpacked:
    """Put every entry into `directory`, which must be empty. Nothing is synced to the disk yet.

    :param layer: False for files that are copied into a directory with something in it: no name is a whiteout, and a
        directory and what is none do not replace each other.

    Raises BadImage, StoreError (disk full, read-only), PermissionNeeded. What was made until then stays.
    """
    unpacker = _Unpacker(directory, layer=layer)
    try:
        return unpacker.run(reader)
    finally:
        unpacker.close()


class _Unpacker:
    """One unpacking: the descriptors from the root down to the directory being filled, and what is to be done last."""

    def __init__(self, directory: str, *, layer: bool) -> None:
        self._layer = layer
        self._fds = [os.open(directory, _OPEN_DIRECTORY)]
        self._names: list[bytes] = []  # of the directories behind self._fds[1:]
        self._current = b""  # the same as a path
        # Times, owners and modes of directories are set at the end: filling them would change the times, and a
        # set-group-ID directory would hand its group down.
        self._directories: dict[bytes, Entry | None] = {}  # None: implied
        self._opaque: set[bytes] = set()
        self._devices = 0
        self._owner = (os.geteuid(), os.getegid())
        self._makers: dict[bytes, Callable[[Entry, int, bytes], None]] = {
            HARD_LINK: self._hard_link,
            SYMLINK: self._symlink,
            CHARACTER: self._node,
            BLOCK: self._node,
            FIFO: self._node,
            DIRECTORY: self._directory,
        }

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def run(self, reader: TarReader) -> Unpacked:
        size = entries = 0
        entry: Entry | None = None
        try:
            for entry in reader:
                entries += 1
                path = clean(entry.name)
                parent, _, name = path.rpartition(b"/")
                if not name:
                    if entry.kind != DIRECTORY:
                        raise BadImage("the root of a layer is no directory")
                    self._directories[b""] = entry
                    continue
                fd = self._enter(parent)
                if name.startswith(WHITEOUT) and self._layer:
                    self._whiteout(fd, name)
                elif entry.kind == FILE:
                    size += entry.real_size
                    self._file(reader, entry, fd, name)
                else:
                    self._makers[entry.kind](entry, fd, name)
            entry = None
            self._finish_directories()
        except OSError as error:
            raise _explained(error, entry) from error
        except EngineError as error:
            if entry is not None and isinstance(error, BadImage):
                raise BadImage(f"{error.message} (at {shown(entry.name)})", hint=error.hint) from error
            raise
        implied = sorted(path for path, known in self._directories.items() if known is None)
        return Unpacked(size, entries, implied)

    # directories ----------------------------------------------------------------------------------
    def _enter(self, path: bytes, *, create: bool = True) -> int:
        """The descriptor of a directory of the snapshot, made where it is missing."""
        if path == self._current:
            return self._fds[-1]
        wanted = path.split(b"/") if path else []
        wanted.reverse()
        links = 0
        self._leave_for(wanted)
        while wanted:
            part = wanted.pop()
            if part == b"..":  # of a link's target; at the root it leads to the root, as in a chroot
                self._pop_to(max(len(self._names) - 1, 0))
                continue
            try:
                self._push(os.open(part, _OPEN_DIRECTORY, dir_fd=self._fds[-1]), part)
            except FileNotFoundError:
                if not create:
                    raise
                self._imply(part)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                target = self._link_target(part)
                if target is None:
                    if not (create and self._is_whiteout(part)):
                        raise BadImage("a layer uses a file as a directory") from error
                    os.unlink(part, dir_fd=self._fds[-1])
                    self._imply(part)
                    self._opaque.add(self._current)
                    continue
                links += 1
                if links > MAX_LINKS:
                    raise BadImage("a layer's symbolic links go round in circles") from error
                if target.startswith(b"/"):
                    self._pop_to(0)
                wanted.extend(step for step in reversed(target.split(b"/")) if step not in (b"", b"."))
        return self._fds[-1]

    def _leave_for(self, wanted: list[bytes]) -> None:
        """Go up to where the way to `wanted` (reversed) branches off, taking from it what is already walked."""
        common = 0
        for name in self._names:
            if not wanted or wanted[-1] != name:
                break
            wanted.pop()
            common += 1
        self._pop_to(common)

    def _push(self, fd: int, name: bytes) -> None:
        self._fds.append(fd)
        self._names.append(name)
        self._current = b"/".join(self._names)
        if len(self._names) > MAX_DEPTH:
            raise BadImage(f"a layer nests directories more than {MAX_DEPTH} deep")

    def _pop_to(self, depth: int) -> None:
        if len(self._names) > depth:
            while len(self._names) > depth:
                os.close(self._fds.pop())
                self._names.pop()
            self._current = b"/".join(self._names)

    def _imply(self, name: bytes) -> None:
        """Make and enter a directory that the archive has not named (yet)."""
        os.mkdir(name, 0o700, dir_fd=self._fds[-1])
        self._push(os.open(name, _OPEN_DIRECTORY, dir_fd=self._fds[-1]), name)
        self._directories[self._current] = None

    def _directory(self, entry: Entry, parent: int, name: bytes) -> None:
        path = b"/".join((*self._names, name))
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                if not self._layer:
                    raise BadImage("cannot overwrite non-directory with directory") from None
                if _is_whiteout(status):
                    self._opaque.add(path)
                os.unlink(name, dir_fd=parent)
                os.mkdir(name, 0o700, dir_fd=parent)
        self._directories[path] = entry

    def _finish_directories(self) -> None:
        for path in self._opaque:
            self._directories.setdefault(path, None)
        for path in sorted(self._directories, reverse=True):  # what lies within comes first
            if not self._reopen(path):
                continue
            entry = self._directories[path]
            fd = self._fds[-1]
            if entry is None:
                os.fchmod(fd, _IMPLIED_MODE)
            else:
                set_attributes(entry, fd, self._owner)
            if path in self._opaque:
                os.setxattr(fd, OPAQUE_XATTR, b"y")
            if entry is not None:
                set_times(entry, fd)

    def _reopen(self, path: bytes) -> bool:
        """Go to a directory that was made; False if something else took its place since."""
        wanted = path.split(b"/") if path else []
        wanted.reverse()
        self._leave_for(wanted)
        while wanted:
            name = wanted.pop()
            try:
                self._push(os.open(name, _OPEN_DIRECTORY, dir_fd=self._fds[-1]), name)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    return False
                raise
        return True

    # everything else ------------------------------------------------------------------------------
    def _file(self, reader: TarReader, entry: Entry, parent: int, name: bytes) -> None:
        try:
            fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
        except FileExistsError:
            self._remove(parent, name)
            fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
        try:
            if entry.sparse is None:
                for piece in reader.body():
                    written = os.write(fd, piece)
                    while written < len(piece):
                        written += os.write(fd, piece[written:])
            else:
                _write_sparse(reader, entry, fd)
            set_attributes(entry, fd, self._owner)
            set_times(entry, fd)
        finally:
            os.close(fd)

    def _hard_link(self, entry: Entry, parent: int, name: bytes) -> None:
        target_parent, _, target = clean(entry.link).rpartition(b"/")
        if not target:
            raise BadImage("a layer hard-links its own root")
        path = self._current
        if target_parent == path:
            self._link(target, parent, parent, name)
            return
        try:
            source = os.dup(self._enter(target_parent, create=False))
        except FileNotFoundError as error:
            raise BadImage(f"a layer hard-links to {shown(entry.link)}, which it does not hold") from error
        try:
            self._link(target, source, self._enter(path), name)
        finally:
            os.close(source)

    def _link(self, target: bytes, source: int, parent: int, name: bytes) -> None:
        try:
            os.link(target, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError as error:
            raise BadImage(f"a layer hard-links to {shown(target)}, which it does not hold") from error
        except PermissionError as error:
            raise BadImage(f"a layer hard-links to {shown(target)}, which is a directory") from error
        except FileExistsError:
            there = os.stat(target, dir_fd=source, follow_symlinks=False)
            if os.path.samestat(there, os.stat(name, dir_fd=parent, follow_symlinks=False)):
                return
            self._remove(parent, name)
            self._link(target, source, parent, name)

    def _symlink(self, entry: Entry, parent: int, name: bytes) -> None:
        if not entry.link:
            raise BadImage("a layer holds a symbolic link to nothing")
        try:
            os.symlink(entry.link, name, dir_fd=parent)
        except FileExistsError:
            self._remove(parent, name)
            os.symlink(entry.link, name, dir_fd=parent)
        set_attributes_at(entry, parent, name, self._owner)

    def _node(self, entry: Entry, parent: int, name: bytes) -> None:
        self._devices += 1
        if self._devices > MAX_DEVICES:
            raise BadImage(f"a layer holds more than {MAX_DEVICES} device nodes")
        kind = {CHARACTER: stat.S_IFCHR, BLOCK: stat.S_IFBLK, FIFO: stat.S_IFIFO}[entry.kind]
        major, minor = entry.device
        if major >= 1 << 12 or minor >= 1 << 20:
            raise BadImage(f"a layer holds a device beyond the kernel's range ({major}:{minor})")
        device = os.makedev(major, minor)
        try:
            os.mknod(name, kind | 0o600, device, dir_fd=parent)
        except FileExistsError:
            self._remove(parent, name)
            os.mknod(name, kind | 0o600, device, dir_fd=parent)
        set_attributes_at(entry, parent, name, self._owner)

    def _whiteout(self, parent: int, name: bytes) -> None:
        if name == OPAQUE:
            self._opaque.add(self._current)
            return
        if name.startswith(WHITEOUT_META):
            return  # aufs's own bookkeeping
        hidden = name[len(WHITEOUT) :]
        if hidden in (b"", b".", b".."):
            raise BadImage("a layer holds a whiteout of nothing")
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=parent)
        except FileExistsError:
            # "Whiteout files MUST only apply to resources in lower layers": what this layer brings stays, but a
            # directory must not let the lower one shine through.
            if stat.S_ISDIR(os.stat(hidden, dir_fd=parent, follow_symlinks=False).st_mode):
                self._opaque.add(b"/".join((*self._names, hidden)))

    def _remove(self, parent: int, name: bytes) -> None:
        """Make room: a later entry of the same name replaces an earlier one."""
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            if not self._layer:
                raise BadImage("cannot overwrite directory with non-directory")
            remove_tree(parent, name)
        elif not self._layer and _is_mounted_on(parent, name):
            # where the mount is another namespace's, the kernel would take it down
            raise BadImage("a file is mounted there: device or resource busy")
        else:
            os.unlink(name, dir_fd=parent)

    # looking -------------------------------------------------------------------------------------
    def _link_target(self, name: bytes) -> bytes | None:
        try:
            return os.readlink(name, dir_fd=self._fds[-1])
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def _is_whiteout(self, name: bytes) -> bool:
        return _is_whiteout(os.stat(name, dir_fd=self._fds[-1], follow_symlinks=False))


def clean(name: bytes) -> bytes:
    """A member's name as a relative path without "." and "..": "/etc//x", "./etc/x" and "etc/y/../x" are "etc/x".

    Raises BadImage for one that leads out of the layer. Source: Docker and containerd do so by Go's path.Clean.
    """
    if not (b"/." in name or b"//" in name or name[:1] in (b"/", b".", b"")):
        return name.rstrip(b"/")
    parts: list[bytes] = []
    absolute = name.startswith(b"/")
    for part in name.split(b"/"):
        if part == b"..":
            if parts:
                parts.pop()
            elif not absolute:
                raise BadImage("a layer tries to write outside of its snapshot")
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def _write_sparse(reader: TarReader, entry: Entry, fd: int) -> None:
    pieces = reader.body()
    piece = memoryview(b"")
    for offset, length in entry.sparse or ():
        while length:
            if not piece:
                piece = next(pieces)
            written = os.pwrite(fd, piece[:length], offset)
            piece = piece[written:]
            offset += written
            length -= written
    os.ftruncate(fd, entry.real_size)


def _is_mounted_on(parent: int, name: bytes) -> bool:
    from engine.linux import paths  # late: a layer needs none of it, and it brings ctypes

    flags = os.O_PATH | os.O_NOFOLLOW
    try:
        os.close(paths.open_in_root(parent, os.fsdecode(name), flags, resolve=paths.RESOLVE_NO_XDEV))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return True
    return False


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _explained(error: OSError, entry: Entry | None) -> EngineError:
    what = f"cannot unpack {shown(entry.name)}" if entry is not None else "cannot unpack a layer"
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"{what}: {reason}", hint="free some space, for example with `pilothouse rmi`")
    if error.errno in (errno.EPERM, errno.EACCES):
        return PermissionNeeded(f"{what}: {reason}", hint="run as root")
    if error.errno in (errno.ENAMETOOLONG, errno.EFBIG, errno.EINVAL, errno.ENOTDIR, errno.ELOOP, errno.EMLINK):
        return BadImage(f"{what}: {reason}")
    return StoreError(f"{what}: {reason}")
