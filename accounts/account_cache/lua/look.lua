-- Begins a look at what has changed, unless somebody has begun one a moment ago.
-- KEYS: generation, the claim of a look, the place up to which notes were told, the notes told lately.
-- ARGV: milliseconds for which nobody else looks.
-- Answers nil, {} without a generation, or {generation, this server's milliseconds, place, notes}.
local generation = redis.call('GET', KEYS[1])
if not generation then return {} end
if not redis.call('SET', KEYS[2], '1', 'PX', ARGV[1], 'NX') then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {generation, now, redis.call('GET', KEYS[3]) or '', redis.call('ZRANGE', KEYS[4], 0, -1)}
