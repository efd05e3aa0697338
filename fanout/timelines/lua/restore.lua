-- Puts a restored entry back into the active timelines among KEYS; answers how many were active, STALE_SNAPSHOT or
-- OVERTAKEN.
-- KEYS: tombstone of the entry, generation, openings so far, then timelines, all of one shard.
-- ARGV: entry id, cap, slack, and of the snapshot: microseconds, greatest age, generation, openings; the operation.
local openings, operation = tonumber(ARGV[7]) or 0, ARGV[8]
if is_stale(KEYS[2], ARGV[4], ARGV[5], ARGV[6]) then return STALE_SNAPSHOT end
if is_overtaken(KEYS[1], operation) then return OVERTAKEN end

-- A build that was told to leave the entry out has it again, wherever the trailer says so.
local function unretract(key, trailer)
    local kept = {sub(trailer, 1, RETRACTED - 1)}
    for position = RETRACTED, #trailer, ID_BYTES do
        local other = sub(trailer, position, position + ID_BYTES - 1)
        if other ~= id then kept[#kept + 1] = other end
    end
    redis.call('LSET', key, TRAILER, table.concat(kept))
end

local active = 0
for place = 4, #KEYS do
    local key = KEYS[place]
    local trailer = redis.call('LINDEX', key, TRAILER)
    if trailer then
        active = active + 1
        -- One that was opened since has pulled the entry, if its reader is still to have it.
        if tonumber(opening_of(trailer)) <= openings then
            if is_building(trailer) then unretract(key, trailer) end
            insert(key, redis.call('LINDEX', key, 0))
        end
    end
end
return active
