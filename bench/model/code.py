"""Numbers of the code that the plan depends on. A test holds each against the code that it is from.

Repeated here since most of those modules can only be imported with Django set up, which a calculation should
not need.
"""

PAGE = 12_500
PAGES_A_TASK = 1
"""fanout/delivery/fan_out.py"""
IN_ONE_TRIP = 1_250
PUSHED_AT_ONCE = 500
"""fanout/delivery/pushing.py"""
SCRIPT_CHUNK = 500
"""fanout/timelines/materialised.py"""
DISCARD_SECONDS = 30.0
"""CELERY_BEAT_SCHEDULE of config/settings.py"""
MOST_SHARDS = 4_096
"""config/environment.py"""
EDGES_PER_BUCKET = 50_000
MAX_LEVEL = 12
"""storage/ports/associations.py"""
OUTBOX_SHARDS = 8
OUTBOX_GRACE_SECONDS = 120.0
"""storage/ports/outbox.py"""
WORKERS = 4_096
"""Worker numbers: storage/ids/snowflakes.py"""
RENEWED_SECONDS = 3_600
"""storage/redis/lasting_cache.py"""
TWEET_CACHE_SECONDS = 172_800
"""fanout/timelines/tweet_cache.py"""
COUNTS_SECONDS = 600
"""tweets/caches/counts.py"""
REQUESTS_A_MINUTE = 300
"""accounts/sessions/authentication.py"""
