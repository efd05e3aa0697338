-- Puts one entry into the active timelines among KEYS; answers how many were active, or -1: outdated, note and read anew.
-- KEYS: tombstone of the entry, generation, opened counter, then timelines, all of one shard.
-- ARGV: entry id, cap, slack, noted: microseconds of Redis' clock, greatest age, generation, opened ('-': no list was read).
local id, cap, slack = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local noted_us, greatest_age_us, generation, noted_opened = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local id_high, id_low = struct.unpack('>I4I4', id)
local listed = noted_opened ~= '-'
local NEAR = 20

-- An author's own timeline was made before the entry was written, perhaps: it ends, and the next read pulls.
local function outdated()
    if listed then return -1 end
    redis.call('DEL', KEYS[4])
    return 0
end

local now = redis.call('TIME')
if now[1] * 1000000 + now[2] - noted_us > greatest_age_us then return outdated() end
if redis.call('GET', KEYS[2]) ~= generation then return outdated() end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end

-- Only if some timeline of this shard was opened since the note is each one looked at.
local some_opened_since = listed and (redis.call('GET', KEYS[3]) or '') ~= noted_opened
local function opened_since(key)
    return tonumber(string.sub(redis.call('LINDEX', key, -1), 26, 37)) > (tonumber(noted_opened) or 0)
end

local function id_is_above(other)
    local high, low = struct.unpack('>I4I4', other)
    return id_high > high or (id_high == high and id_low > low)
end

-- Raises the floor to the newest entry dropped, in the same step as dropping.
local function trim(key)
    local newest_dropped = redis.call('LINDEX', key, cap)
    local trailer, merge_set = redis.call('RPOP', key), redis.call('RPOP', key)
    redis.call('LTRIM', key, 0, cap - 1)
    redis.call('RPUSH', key, merge_set, string.sub(trailer, 1, 1) .. newest_dropped .. string.sub(trailer, 10))
end

-- `length` counts the merge set and the trailer, too.
local function trim_past_slack(key, length)
    if length > cap + slack + 2 then trim(key) end
end

-- The entry is not newer than the head, or there is no head: by place, unless it is there or below the floor.
-- Most entries that are late are late by a few places. The merge set ends the search.
local function insert_by_place(key)
    local trailer = redis.call('LINDEX', key, -1)
    if not id_is_above(string.sub(trailer, 2, 9)) then return end
    for first = 0, redis.call('LLEN', key), NEAR do
        for _, present in ipairs(redis.call('LRANGE', key, first, first + NEAR - 1)) do
            if present == id then return end
            if #present ~= 8 or id_is_above(present) then
                trim_past_slack(key, redis.call('LINSERT', key, 'BEFORE', present, id))
                return
            end
        end
    end
end

local active = 0
for place = 4, #KEYS do
    local key = KEYS[place]
    local head = redis.call('LINDEX', key, 0)
    if head then
        active = active + 1
        if some_opened_since and opened_since(key) then
            -- Its rebuild pulls the entry, if the reader is still to have it.
        elseif #head == 8 and id_is_above(head) then
            trim_past_slack(key, redis.call('LPUSH', key, id))
        elseif head ~= id then
            insert_by_place(key)
        end
    end
end
return active
