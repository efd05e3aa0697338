-- What scripts share that deliver an entry; joined behind layout.lua.
-- KEYS begin with: tombstone of the entry, generation.
-- ARGV begin with: entry id, cap, slack, and of what was known before: microseconds, greatest age, generation.

local id, cap, slack = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local id_high, id_low = struct.unpack(ID_HALVES, id)
local NEAR = 20

-- Of an entry that was put back as well: whoever puts it back brings it to everybody.
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

-- The place of the first element, from `first` on, that is no entry above this one. By halving: entries stand newest first,
-- and behind them is the merge set.
local function place_from(key, first)
    local last = redis.call('LLEN', key) + MERGE_SET
    while first < last do
        local middle = math.floor((first + last) / 2)
        local high, low = struct.unpack(ID_HALVES, redis.call('LINDEX', key, middle))
        if is_higher(high, low, id_high, id_low) then first = middle + 1 else last = middle end
    end
    return first
end

-- The entry is not newer than the head, or there is no head: by place, unless it is there or below the floor.
-- Most entries that are late are late by a few places, and are found among the first.
local function insert_by_place(key)
    local floor = floor_of(redis.call('LINDEX', key, TRAILER))
    if not is_higher(id_high, id_low, struct.unpack(ID_HALVES, floor)) then return end
    local behind
    for _, present in ipairs(redis.call('LRANGE', key, 0, NEAR - 1)) do
        if present == id then return end
        if #present ~= ID_BYTES or is_higher(id_high, id_low, struct.unpack(ID_HALVES, present)) then
            behind = present
            break
        end
    end
    behind = behind or redis.call('LINDEX', key, place_from(key, NEAR))
    if behind ~= id then trim_past_slack(key, redis.call('LINSERT', key, 'BEFORE', behind, id)) end
end

-- `head` is the first element of the list at `key`.
local function insert(key, head)
    if #head == ID_BYTES and is_higher(id_high, id_low, struct.unpack(ID_HALVES, head)) then
        trim_past_slack(key, redis.call('LPUSH', key, id))
    elseif head ~= id then
        insert_by_place(key)
    end
end
