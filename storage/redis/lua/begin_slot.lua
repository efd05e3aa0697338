-- Answers the generation of a slot of a cluster; makes a new one in the emptied slot unless each shard of the slot has
-- this server's own. What it empties is all of one slot, as its keys are.
-- KEYS: generation of each shard whose tag falls into the slot. ARGV: nonce of a new generation, the slot.
local run = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 16)
local current = redis.call('GET', KEYS[1])
local whole = current and string.sub(current, 1, 16) == run
for place = 2, #KEYS do
    if not whole then break end
    whole = redis.call('GET', KEYS[place]) == current
end
if whole then return current end

-- Valkey 9 forgets a slot in one step, as FLUSHDB does a database; older servers, a key after the other.
local AT_ONCE = 1000
local emptied = redis.pcall('CLUSTER', 'FLUSHSLOT', ARGV[2], 'ASYNC')
while emptied.err do
    local keys = redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[2], AT_ONCE)
    if #keys == 0 then break end
    redis.call('UNLINK', unpack(keys))
end
for _, key in ipairs(KEYS) do redis.call('SET', key, run .. ARGV[1]) end
return run .. ARGV[1]
