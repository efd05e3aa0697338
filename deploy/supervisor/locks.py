"""A lock that the kernel releases when its holders are gone, however they went."""

import fcntl


def try_lock(descriptor: int) -> bool:
    """Returns whether this process now holds the open file exclusively; never waits."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
