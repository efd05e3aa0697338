"""The reference of the home bench: a bare Django view over one script call, `bench.bare:application`.

What a page costs at least on this stack: no middleware, no REST framework, no limits, no log
line, and no question whether a stored byte is still true. One script checks the token, reads
the timeline and answers the tweets' stored JSON, which is joined. Every key is in one place, as
Redis Cluster would not have it. Served by the same web server as the product.
"""

import hashlib
import os

import redis
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

PREFIX = "bare:"
PAGE = 20
READ = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local keys = redis.call('LRANGE', KEYS[2], 0, ARGV[2] - 1)
for place, id in ipairs(keys) do keys[place] = ARGV[3] .. id end
return redis.call('MGET', unpack(keys))
"""
END = b'],"meta":{"next_cursor":"%s","prev_cursor":"%s","limit":20},"links":{"self":"%s","next":"%s","prev":"%s"}}'
CURSOR = b"HMtCDKuAMAA.5pzCkzCsdCMtAVZDh2YhVZtWJlC3yzSIk1dsgUDTrCU"
LINK = b"/api/v1/feed/home"
TAIL = END % (CURSOR, CURSOR, LINK, LINK + b"?limit=20&cursor=" + CURSOR, LINK + b"?limit=20&since=" + CURSOR)


def token_key(token: str) -> str:
    return f"{PREFIX}token:{hashlib.sha512(token.encode()).hexdigest()}"


def timeline_key(reader_id: int | str) -> str:
    return f"{PREFIX}home:{reader_id}"


def tweet_key(tweet_id: int | str) -> str:
    return f"{PREFIX}tweet:{tweet_id}"


def home(request: WSGIRequest) -> HttpResponse:
    token = request.META["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    reader = token.partition(".")[0]
    rows = _read(keys=(token_key(token), timeline_key(reader)), args=(reader, PAGE, tweet_key("")))
    if rows is None:
        return HttpResponse(status=401)
    return HttpResponse(b'{"data":[' + b",".join(rows) + TAIL, content_type="application/json")


urlpatterns = [path("api/v1/feed/home", home), path("healthz", lambda _: HttpResponse())]

if not settings.configured:
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
    _client = redis.Redis.from_url(os.environ["TIMELINE_REDIS_URL"])
    _read = _client.register_script(READ)
    application = get_wsgi_application()
