-- Keeps a viewer's marks unless one has changed since their reading began; answers whether it did.
-- KEYS: marks, version. ARGV: version they were read under, seconds to live, then fields and values.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
