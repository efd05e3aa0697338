-- Puts one entry into the active timelines among KEYS; answers how many were active.
-- KEYS: timelines of one shard. ARGV: entry id, cap, slack. See timelines.py for the layout.
local id, cap, slack = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local id_high, id_low = struct.unpack('>I4I4', id)

local function id_is_above(other)
    local high, low = struct.unpack('>I4I4', other)
    return id_high > high or (id_high == high and id_low > low)
end

-- Raises the floor to the newest entry dropped, in the same step as dropping.
local function trim(key)
    local newest_dropped = redis.call('LINDEX', key, cap)
    local trailer = redis.call('RPOP', key)
    redis.call('LTRIM', key, 0, cap - 1)
    redis.call('RPUSH', key, string.sub(trailer, 1, 1) .. newest_dropped .. string.sub(trailer, 10))
end

-- `length` counts the trailer, too.
local function trim_past_slack(key, length)
    if length > cap + slack + 1 then trim(key) end
end

-- The entry is not newer than the head, or there is no head: by place, unless it is there or below the floor.
local function insert_by_place(key)
    local trailer = redis.call('LINDEX', key, -1)
    if not id_is_above(string.sub(trailer, 2, 9)) then return end
    for _, present in ipairs(redis.call('LRANGE', key, 0, -2)) do
        if present == id then return end
        if id_is_above(present) then
            trim_past_slack(key, redis.call('LINSERT', key, 'BEFORE', present, id))
            return
        end
    end
    trim_past_slack(key, redis.call('LINSERT', key, 'BEFORE', trailer, id))
end

local active = 0
for _, key in ipairs(KEYS) do
    local head = redis.call('LINDEX', key, 0)
    if head then
        active = active + 1
        if #head == 8 and id_is_above(head) then
            trim_past_slack(key, redis.call('LPUSH', key, id))
        elseif head ~= id then
            insert_by_place(key)
        end
    end
end
return active
