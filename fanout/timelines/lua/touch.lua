-- Keeps a ready timeline for longer; one that is being built keeps its short life.
-- KEYS: timeline. ARGV: seconds.
local trailer = redis.call('LINDEX', KEYS[1], -1)
if trailer and string.sub(trailer, 1, 1) == 'R' then return redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return 0
