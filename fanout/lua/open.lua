-- Opens a timeline for a rebuild; answers 1 when opened, 0 when it is ready or being built already.
-- KEYS: timeline, graph version. ARGV: token, seconds after which an abandoned build is gone.
local key, token, seconds = KEYS[1], ARGV[1], ARGV[2]
local version = redis.call('GET', KEYS[2]) or string.rep('\0', 8)
local trailer = redis.call('LINDEX', key, -1)
if trailer and string.sub(trailer, 10, 17) == version then return 0 end
redis.call('DEL', key)
redis.call('RPUSH', key, 'B' .. string.rep('\0', 8) .. version .. token)
redis.call('EXPIRE', key, seconds)
return 1
