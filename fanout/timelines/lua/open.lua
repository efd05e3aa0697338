-- Opens a timeline for a rebuild; answers 1 when opened, 0 when it is ready or being built already, -1 without a generation.
-- KEYS: timeline, graph version, epoch, generation, opened counter. ARGV: token, seconds after which an abandoned build is gone.
local key, token, seconds = KEYS[1], ARGV[1], ARGV[2]
if redis.call('EXISTS', KEYS[4]) == 0 then return -1 end
local version = redis.call('GET', KEYS[2]) or string.rep('\0', 8)
local epoch = redis.call('GET', KEYS[3]) or string.rep('\0', 8)
local trailer = redis.call('LINDEX', key, -1)
if trailer and string.sub(trailer, 10, 17) == version and string.sub(trailer, 38, 45) == epoch then return 0 end
local time = redis.call('TIME')
local opened = string.format('%012d', redis.call('INCR', KEYS[5]))
local opened_us = string.format('%010d%06d', time[1], time[2])
redis.call('DEL', key)
redis.call('RPUSH', key, 'M', 'B' .. string.rep('\0', 8) .. version .. token .. opened .. epoch .. opened_us)
redis.call('EXPIRE', key, seconds)
return 1
