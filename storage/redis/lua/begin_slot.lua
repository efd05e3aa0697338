-- Answers the generation of a slot of a cluster; makes a new one in the emptied slot unless each shard of the slot has
-- this server's own. What it empties is all of one slot, as its keys are.
-- KEYS: generation of each shard whose tag falls into the slot. ARGV: nonce of a new generation, the slot.
local current = standing()
if current then return current end

-- Valkey 9 forgets a slot in one step, as FLUSHDB does a database; older servers, a key after the other.
local AT_ONCE = 1000
local emptied = redis.pcall('CLUSTER', 'FLUSHSLOT', ARGV[2], 'ASYNC')
while emptied.err do
    local keys = redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[2], AT_ONCE)
    if #keys == 0 then break end
    redis.call('UNLINK', unpack(keys))
end
return begin()
