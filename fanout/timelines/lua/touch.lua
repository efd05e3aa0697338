-- Keeps a ready timeline for longer; one that is being built keeps its short life.
-- KEYS: timeline. ARGV: seconds.
if is_ready(redis.call('LINDEX', KEYS[1], TRAILER)) then return redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return 0
