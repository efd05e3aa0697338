-- Puts a restored entry back into the active timelines among KEYS; answers how many were active, or STALE_SNAPSHOT.
-- KEYS: tombstone of the entry, generation, openings so far, then timelines, all of one shard.
-- ARGV: entry id, cap, slack, and of the snapshot: microseconds, greatest age, generation, openings; the operation.
local STALE_SNAPSHOT = -1
local openings, operation = tonumber(ARGV[7]) or 0, ARGV[8]
if is_stale(ARGV[4], ARGV[5], ARGV[6]) then return STALE_SNAPSHOT end
if is_overtaken(KEYS[1], operation) then return 0 end

local active = 0
for place = 4, #KEYS do
    local key = KEYS[place]
    local trailer = redis.call('LINDEX', key, TRAILER)
    if trailer then
        active = active + 1
        local opened_before = tonumber(opening_of(trailer)) <= openings
        if opened_before and is_building(trailer) then
            -- It may have been told to leave the entry out: whoever builds it begins anew.
            redis.call('DEL', key)
        elseif opened_before then
            insert(key, redis.call('LINDEX', key, 0))
        end
    end
end
return active
