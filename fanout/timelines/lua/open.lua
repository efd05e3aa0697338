-- Opens a timeline for a rebuild; answers OPENED, TAKEN (it is ready, or being built already) or NO_GENERATION.
-- Where the shard has no settled place, it is the one given from now on (settled.py).
-- KEYS: timeline, graph version, epoch, generation, openings so far, settled place.
-- ARGV: token, seconds after which an abandoned build is gone, what has settled in the store.
local OPENED, TAKEN, NO_GENERATION = 1, 0, -1
local key, token, seconds = KEYS[1], ARGV[1], ARGV[2]
if redis.call('EXISTS', KEYS[4]) == 0 then return NO_GENERATION end
local version, epoch = current(KEYS[2]), current(KEYS[3])
local trailer = redis.call('LINDEX', key, TRAILER)
local settled_before = not redis.call('SET', KEYS[6], ARGV[3], 'NX')
if settled_before and trailer and graph_version_of(trailer) == version and epoch_of(trailer) == epoch then return TAKEN end
local time = redis.call('TIME')
local opening = string.format('%012d', redis.call('INCR', KEYS[5]))
local opened_us = string.format('%010d%06d', time[1], time[2])
redis.call('DEL', key)
redis.call('RPUSH', key, NO_MERGE_SET, opened_trailer(version, token, opening, epoch, opened_us))
redis.call('EXPIRE', key, seconds)
return OPENED
