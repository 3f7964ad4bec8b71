"""The tests in a chroot, as in a debootstrap tree: give them a mount namespace whose root this one is."""

from __future__ import annotations

import os
from pathlib import Path

from engine.linux import mounts, namespaces


def become_root() -> None:
    """Nothing happens where `/` is a mount point. Must be called while the process has one thread.

    In a chroot the kernel makes no user namespaces (user_namespaces(7)), and tests that lay something over the host's
    files in a mount namespace of their own cannot make `/` private. The engine does without: see test_chroot.py.
    """
    if any(line.split()[4] == "/" for line in Path("/proc/self/mountinfo").read_text().splitlines()):
        return
    here = Path.cwd()
    namespaces.unshare(namespaces.CLONE_NEWNS)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    namespaces.enter(namespace, namespaces.CLONE_NEWNS)  # which sets the root to the namespace's
    mounts.set_propagation_of_all(mounts.MS_PRIVATE)
    tree = mounts.clone_tree(root, recursive=True)
    mounts.attach(tree, root, "/")
    os.fchdir(tree)
    mounts.pivot_root_here()
    os.chdir(here)
    for descriptor in (root, namespace, tree):
        os.close(descriptor)
