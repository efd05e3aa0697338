-- What scripts share that push by what was known before; joined behind layout.lua.

-- Whether what was known before is too old to go by, or of a server that has forgotten tombstones and openings since.
local function is_stale(generation_key, microseconds, greatest_age, generation)
    local now = redis.call('TIME')
    if now[1] * 1000000 + now[2] - tonumber(microseconds) > tonumber(greatest_age) then return true end
    return redis.call('GET', generation_key) ~= generation
end

local STALE_SNAPSHOT, OVERTAKEN = -1, -2

-- Whether a tombstone is of a later operation than this one. One that names none was laid by the version before.
local function is_overtaken(tombstone, operation)
    local last = redis.call('GET', tombstone)
    if not last or #last ~= ID_BYTES then return false end
    local high, low = struct.unpack(ID_HALVES, last)
    return is_higher(high, low, struct.unpack(ID_HALVES, operation))
end
