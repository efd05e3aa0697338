-- Takes one entry out of the timelines among KEYS, for good; answers how many held it, STALE_SNAPSHOT, or OVERTAKEN
-- when an operation after this one has taken it out or put it back already.
-- KEYS: tombstone of the entry, generation, then timelines, all of one shard.
-- ARGV: entry id, operation, seconds of the tombstone, and of the snapshot: microseconds, greatest age, generation.
local id, operation = ARGV[1], ARGV[2]
if is_stale(KEYS[2], ARGV[4], ARGV[5], ARGV[6]) then return STALE_SNAPSHOT end
if is_overtaken(KEYS[1], operation) then return OVERTAKEN end
redis.call('SET', KEYS[1], operation, 'EX', ARGV[3])
local held = 0
for place = 3, #KEYS do
    local key = KEYS[place]
    local trailer = redis.call('LINDEX', key, TRAILER)
    if trailer then
        held = held + redis.call('LREM', key, 1, id)
        -- A rebuild may have pulled it already: merge leaves out what was retracted while building.
        if is_building(trailer) then redis.call('LSET', key, TRAILER, trailer .. id) end
    end
end
return held
