-- One mark of a viewer was made or removed. Patches what is cached if nobody else changed any meanwhile, else drops it.
-- KEYS: marks, version. ARGV: version before the change or '', version from now on, its seconds,
-- kind, tweet (8 bytes), '1' for made or '0' for removed, most bytes of one kind.
local expected, version, seconds = ARGV[1], ARGV[2], ARGV[3]
local kind, tweet, made, most = ARGV[4], ARGV[5], ARGV[6] == '1', tonumber(ARGV[7])
local found = redis.call('GET', KEYS[2]) or ''
redis.call('SET', KEYS[2], version, 'EX', seconds)
if found ~= expected then return redis.call('DEL', KEYS[1]) end

local value = redis.call('HGET', KEYS[1], kind)
if not value then return 0 end
local kept = {string.sub(value, 1, 8)}
if made then kept[2] = tweet end
for place = 9, #value, 8 do
    local each = string.sub(value, place, place + 7)
    if each ~= tweet then kept[#kept + 1] = each end
end
if 8 * #kept > most then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], kind, table.concat(kept))
return 1
