"""Copying a directory of the merged image tree to the host, with everything a file system knows about it."""

from __future__ import annotations

import errno
import os
import stat

from engine.containers.merged import Entry, Tree

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20  # bytes per copy_file_range(2) call


def copy_directory(tree: Tree, source: Entry, destination: str) -> None:
    """Make `destination` (which must not exist) a copy of `source`: owners, modes, times, links, devices, xattrs.

    Raises: OSError.
    """
    os.mkdir(destination, 0o700)
    fd = os.open(destination, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _copy_children(tree, source, fd, {})
        _copy_attributes(source, fd)
    finally:
        os.close(fd)


def _copy_children(tree: Tree, source: Entry, target: int, linked: dict[tuple[int, int], str]) -> None:
    """`linked` remembers the files here that have several names: their first copy, by device and inode."""
    for name in tree.names(source):
        entry = tree.child(source, name)
        if entry is None:
            continue
        if entry.is_directory:
            os.mkdir(name, 0o700, dir_fd=target)
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target)
            try:
                _copy_children(tree, entry, fd, {})
                _copy_attributes(entry, fd)
            finally:
                os.close(fd)
            continue
        key = (entry.status.st_dev, entry.status.st_ino)
        if key in linked:
            os.link(linked[key], name, src_dir_fd=target, dst_dir_fd=target, follow_symlinks=False)
            continue
        _copy_one(tree, entry, target)
        if entry.status.st_nlink > 1:
            linked[key] = name


def _copy_one(tree: Tree, entry: Entry, target: int) -> None:
    name, status = entry.name, entry.status
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        source = tree.open(entry)
        try:
            fd = os.open(name, _NEW_FILE, 0o600, dir_fd=target)
            try:
                _copy_bytes(source, fd)
                os.fchown(fd, status.st_uid, status.st_gid)
                os.fchmod(fd, stat.S_IMODE(status.st_mode))
                _copy_xattrs(source, fd)
                os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))
            finally:
                os.close(fd)
        finally:
            os.close(source)
        return
    if kind == stat.S_IFLNK:
        os.symlink(os.readlink(name, dir_fd=entry.parent), name, dir_fd=target)
    elif kind in (stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK):
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
    if kind != stat.S_IFLNK:
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target)  # mknod heeds the umask
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)


def _copy_bytes(source: int, target: int) -> None:
    try:
        while os.copy_file_range(source, target, _CHUNK):
            continue
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    while os.sendfile(target, source, None, _CHUNK):
        continue


def _copy_attributes(source: Entry, fd: int) -> None:
    status = source.status
    os.fchown(fd, status.st_uid, status.st_gid)
    os.fchmod(fd, stat.S_IMODE(status.st_mode))
    _copy_xattrs(source.directories[0], fd)
    os.utime(fd, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_xattrs(source: int, target: int) -> None:
    """File capabilities and user attributes; overlayfs keeps its own under trusted.overlay, which stay behind."""
    for name in os.listxattr(source):
        if name.startswith(("trusted.overlay.", "user.overlay.")):
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
