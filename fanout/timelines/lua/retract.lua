-- Takes one entry out of the timelines among KEYS, for good; answers how many held it.
-- KEYS: tombstone of the entry, then timelines, all of one shard. ARGV: entry id, seconds of the tombstone.
local id = ARGV[1]
redis.call('SET', KEYS[1], '', 'EX', ARGV[2])
local held = 0
for place = 2, #KEYS do
    local key = KEYS[place]
    local trailer = redis.call('LINDEX', key, TRAILER)
    if trailer then
        held = held + redis.call('LREM', key, 1, id)
        -- A rebuild may have pulled it already: merge leaves out what was retracted while building.
        if is_building(trailer) then redis.call('LSET', key, TRAILER, trailer .. id) end
    end
end
return held
