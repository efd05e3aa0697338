"""The kinds of associations that tweets own."""

LIKE = "like"
"""From a person to a tweet."""
RETWEET = "retweet"
"""From a person to the original; its op is the id of the entry that shows it."""
BOOKMARK = "bookmark"
"""From a person to a tweet; nobody else may know."""
QUOTE = "quote"
"""From the quoting tweet to the quoted one."""
WITHHELD = "withheld"
"""From somebody suspended to each tweet that they like or have retweeted: not counted there
(accounts/graph/withheld.py)."""
WITHHELD_TWEET = "withheld-tweet"
"""From each reply and quote by somebody suspended to what it answers or quotes. A kind of its own, so that of many
both are sampled."""
WITHHELD_ENTRY = "withheld-entry"
"""From a retweet whose original is gone, or whose author is suspended, to who retweeted it."""
