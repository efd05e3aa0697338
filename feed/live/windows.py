"""How many times something happened lately, in memory."""

import time


class Window:
    """At most `quota` times within any `seconds`. It belongs to the event loop; a list of `quota` moments at most.

    Not a deque, which takes 700 bytes while it is empty, and there are two windows a socket.
    """

    def __init__(self, quota: int, seconds: float) -> None:
        self._quota = quota
        self._seconds = seconds
        self._moments: list[float] = []

    def allows(self) -> bool:
        """Counts one more, and returns whether it is still within the quota; what is not is not counted."""
        now = time.monotonic()
        if self._moments and self._moments[0] <= now - self._seconds:
            self._moments = [each for each in self._moments if each > now - self._seconds]
        if len(self._moments) >= self._quota:
            return False
        self._moments.append(now)
        return True
