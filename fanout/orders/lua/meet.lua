-- Who sweeps: KEYS[1] is a sorted set of sweepers by when each was here last, in milliseconds of this server's clock.
-- ARGV: the name of who asks, "" for who only looks; after how many milliseconds one counts as gone.
-- Answers this server's clock in seconds, and the names of those who are here.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if ARGV[1] ~= '' then
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return {tonumber(clock[1]), redis.call('ZRANGE', KEYS[1], 0, -1)}
