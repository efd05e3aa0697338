-- What scripts share that deliver an entry; joined behind layout.lua.
-- KEYS begin with: tombstone of the entry, generation.
-- ARGV begin with: entry id, cap, slack, and of what was known before: microseconds, greatest age, generation.

local id, cap, slack = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local id_high, id_low = struct.unpack(ID_HALVES, id)
local NEAR = 20

-- Whether tombstones and openings may have been forgotten since.
local function is_stale()
    local now = redis.call('TIME')
    if now[1] * 1000000 + now[2] - tonumber(ARGV[4]) > tonumber(ARGV[5]) then return true end
    return redis.call('GET', KEYS[2]) ~= ARGV[6]
end

local function is_retracted() return redis.call('EXISTS', KEYS[1]) == 1 end

-- Raises the floor to the newest entry dropped, in the same step as dropping.
local function trim(key)
    local newest_dropped = redis.call('LINDEX', key, cap)
    local trailer, merge_set = redis.call('RPOP', key), redis.call('RPOP', key)
    redis.call('LTRIM', key, 0, cap - 1)
    redis.call('RPUSH', key, merge_set, with_floor(trailer, newest_dropped))
end

-- `length` counts the merge set and the trailer, too.
local function trim_past_slack(key, length)
    if length > cap + slack + 2 then trim(key) end
end

-- The entry is not newer than the head, or there is no head: by place, unless it is there or below the floor.
-- Most entries that are late are late by a few places. The merge set ends the search.
local function insert_by_place(key)
    local floor = floor_of(redis.call('LINDEX', key, TRAILER))
    if not is_higher(id_high, id_low, struct.unpack(ID_HALVES, floor)) then return end
    for first = 0, redis.call('LLEN', key), NEAR do
        for _, present in ipairs(redis.call('LRANGE', key, first, first + NEAR - 1)) do
            if present == id then return end
            if #present ~= ID_BYTES or is_higher(id_high, id_low, struct.unpack(ID_HALVES, present)) then
                trim_past_slack(key, redis.call('LINSERT', key, 'BEFORE', present, id))
                return
            end
        end
    end
end

-- `head` is the first element of the list at `key`.
local function insert(key, head)
    if #head == ID_BYTES and is_higher(id_high, id_low, struct.unpack(ID_HALVES, head)) then
        trim_past_slack(key, redis.call('LPUSH', key, id))
    elseif head ~= id then
        insert_by_place(key)
    end
end
