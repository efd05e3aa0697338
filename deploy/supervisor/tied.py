"""Becomes another program that the kernel kills as soon as its parent dies (Linux).

Run as a script: `python -I -S supervisor/tied.py PARENT_PID PROGRAM ARGUMENT…`. A parent that is killed
with -9 cannot clean up; PR_SET_PDEATHSIG does it for it, and survives the exec. The process id
stays the same. The parent may have died before the request was made, so that is checked after it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(parent_pid: int, argv: list[str]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(0)
    os.execvp(argv[0], argv)  # noqa: S606 - being that program is the point


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
