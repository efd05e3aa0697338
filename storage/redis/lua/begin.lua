-- Answers the generation; makes a new one on an emptied node unless every shard has this server's own.
-- KEYS: generation of each shard. ARGV: nonce of a new generation.
-- A replica refuses the first command, as any write: it may lag behind, and once was a primary perhaps.
redis.call('PERSIST', KEYS[1])
local run = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 16)
local current = redis.call('GET', KEYS[1])
local whole = current and string.sub(current, 1, 16) == run
for place = 2, #KEYS do
    if not whole then break end
    whole = redis.call('GET', KEYS[place]) == current
end
if whole then return current end
redis.call('FLUSHDB', 'ASYNC')
for _, key in ipairs(KEYS) do redis.call('SET', key, run .. ARGV[1]) end
return run .. ARGV[1]
