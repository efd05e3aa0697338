-- Answers the generation; makes a new one on an emptied node unless every shard has this server's own.
-- KEYS: generation of each shard. ARGV: nonce of a new generation.
-- A replica refuses what comes first, as any write: it may lag behind, and once was a primary perhaps.
redis.call('PERSIST', KEYS[1])
local current = standing()
if current then return current end
redis.call('FLUSHDB', 'ASYNC')
return begin()
