-- Puts one entry into the active timelines among KEYS; answers how many were active, or STALE_SNAPSHOT.
-- KEYS: tombstone of the entry, generation, openings so far, then timelines, all of one shard.
-- ARGV: entry id, cap, slack, and of the snapshot: microseconds of Redis' clock, greatest age, generation, openings.
local openings = ARGV[7]

if is_stale(KEYS[2], ARGV[4], ARGV[5], ARGV[6]) then return STALE_SNAPSHOT end
if is_retracted() then return 0 end

-- Only if some timeline of this shard was opened since the snapshot is each one looked at.
local some_opened_since, openings_then = (redis.call('GET', KEYS[3]) or '') ~= openings, tonumber(openings) or 0
local function opened_since(key) return tonumber(opening_of(redis.call('LINDEX', key, TRAILER))) > openings_then end

local active = 0
for place = 4, #KEYS do
    local key = KEYS[place]
    local head = redis.call('LINDEX', key, 0)
    if head then
        active = active + 1
        -- One that was opened since has pulled the entry, if its reader is still to have it.
        if not (some_opened_since and opened_since(key)) then insert(key, head) end
    end
end
return active
