"""How many times something happened lately, in memory."""

import time
from collections import deque


class Window:
    """At most `quota` times within any `seconds`. It belongs to the event loop; a deque of `quota` moments at most."""

    def __init__(self, quota: int, seconds: float) -> None:
        self._quota = quota
        self._seconds = seconds
        self._moments: deque[float] = deque()

    def allows(self) -> bool:
        """Counts one more, and returns whether it is still within the quota; what is not is not counted."""
        now = time.monotonic()
        while self._moments and self._moments[0] <= now - self._seconds:
            self._moments.popleft()
        if len(self._moments) >= self._quota:
            return False
        self._moments.append(now)
        return True
