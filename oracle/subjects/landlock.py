"""Linux Landlock: a process gives up rights for good, so that also C code in it can write only beneath one folder.

The names are those of the kernel's `linux/landlock.h`. Where the kernel does not have it, nothing happens, and the audit hook of
`confine` stands alone.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""System calls; their numbers are the same on every architecture."""
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
O_PATH = 0o10000000
PR_SET_NO_NEW_PRIVS = 38

ACCESS_FS_EXECUTE = 1 << 0
ACCESS_FS_WRITE_FILE = 1 << 1
# REMOVE_DIR REMOVE_FILE MAKE_CHAR MAKE_DIR MAKE_REG MAKE_SOCK MAKE_FIFO MAKE_BLOCK MAKE_SYM
ACCESS_FS_CHANGE = sum(1 << bit for bit in range(4, 13))
ACCESS_FS_REFER = 1 << 13
ACCESS_FS_TRUNCATE = 1 << 14
ACCESS_NET_BIND_AND_CONNECT_TCP = 0b11
SCOPE_ABSTRACT_UNIX_SOCKET_AND_SIGNAL = 0b11


def version() -> int:
    """The version of Landlock that this kernel offers; 0 where it has none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(_call(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION), 0)


def restrict(folder: str) -> bool:
    """From now on this thread, and what it starts, writes beneath `folder` and to /dev/null alone and executes no program.

    Newer kernels also refuse TCP (version 4) and signals to others (6). Whether it holds; False where the kernel has no Landlock.
    """
    offered = version()
    if not offered:
        return False
    writing = ACCESS_FS_WRITE_FILE | (ACCESS_FS_TRUNCATE if offered >= 3 else 0)
    everything = writing | ACCESS_FS_CHANGE | (ACCESS_FS_REFER if offered >= 2 else 0)
    network = ACCESS_NET_BIND_AND_CONNECT_TCP if offered >= 4 else 0
    scoped = SCOPE_ABSTRACT_UNIX_SOCKET_AND_SIGNAL if offered >= 6 else 0
    # an older kernel takes the longer record as long as what it does not know is 0
    ruleset_attr = struct.pack("=QQQ", everything | ACCESS_FS_EXECUTE, network, scoped)
    ruleset = _call(CREATE_RULESET, ruleset_attr, ctypes.c_size_t(len(ruleset_attr)), 0)
    if ruleset < 0:
        return False
    try:
        allowed = _allow(ruleset, folder, everything) and _allow(ruleset, os.devnull, writing)
        return allowed and _no_new_privs() and _call(RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> bool:
    fd = os.open(path, O_PATH | os.O_CLOEXEC)
    try:
        path_beneath_attr = struct.pack("=Qi", access, fd)
        return _call(ADD_RULE, ruleset, RULE_PATH_BENEATH, path_beneath_attr, 0) == 0
    finally:
        os.close(fd)


def _no_new_privs() -> bool:
    return bool(ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _call(number: int, *arguments: object) -> int:
    syscall = ctypes.CDLL(None).syscall
    syscall.restype = ctypes.c_long
    return int(syscall(ctypes.c_long(number), *arguments))
