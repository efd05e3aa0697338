-- What scripts share that push by what was known before; joined behind layout.lua.
-- KEYS begin with: tombstone of the entry, generation.

-- Whether what was known before is too old to go by, or of a server that has forgotten tombstones and openings since.
-- KEYS[2] is the generation everywhere.
local function is_stale(microseconds, greatest_age, generation)
    local now = redis.call('TIME')
    if now[1] * 1000000 + now[2] - tonumber(microseconds) > tonumber(greatest_age) then return true end
    return redis.call('GET', KEYS[2]) ~= generation
end

-- Whether a tombstone is of a later operation than this one.
local function is_overtaken(tombstone, operation)
    local last = redis.call('GET', tombstone)
    if not last or #last ~= ID_BYTES then return false end
    local high, low = struct.unpack(ID_HALVES, last)
    return is_higher(high, low, struct.unpack(ID_HALVES, operation))
end
