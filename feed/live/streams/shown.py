"""Tweets as frames: of one tweet that many sockets are told alike there is one frame, whose text is made once."""

from collections.abc import Sequence
from functools import lru_cache

from feed.live.told import Frame, TweetCame
from storage.web.paging import encode_cursor
from tweets.reading.hydration import TweetOut
from tweets.reading.showing import showing_of

FRAMES_KEPT = 128
"""Frames that are told to many at the same time, and of which each has its text: about 3 KB each."""


@lru_cache(FRAMES_KEPT)
def tweet_came(name: str, safe: int, tweet: TweetOut) -> TweetCame:
    """Returns the frame that tells a stream of that name of the tweet, at the place `safe`."""
    return TweetCame(name, encode_cursor(safe), tweet)


class Shown:
    """What some viewers see alike of one entry."""

    def __init__(self, tweets: Sequence[TweetOut]) -> None:
        self.showings = [showing_of(each) for each in tweets]
        """What the tweets show."""
        self._tweets = tweets
        self._frames: dict[tuple[str, int], Sequence[Frame]] = {}

    def frames(self, name: str, safe: int) -> Sequence[Frame]:
        """Returns the frames of a stream of that name, at the place `safe`. Costs a look-up but for the first."""
        frames = self._frames.get((name, safe))
        if frames is None:
            frames = self._frames[name, safe] = [tweet_came(name, safe, each) for each in self._tweets]
        return frames
