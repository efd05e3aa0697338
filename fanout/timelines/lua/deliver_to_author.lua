-- Puts a new entry into its author's own timeline; answers 1, or 0 when there is none or the entry is retracted.
-- A timeline that was made before the entry was written, perhaps, and may lack it for good, ends: the next read pulls.
-- KEYS: tombstone of the entry, generation, timeline.
-- ARGV: entry id, cap, slack, microseconds when the entry was made, its greatest age, the generation seen before.
local key = KEYS[3]
if is_stale(KEYS[2], ARGV[4], ARGV[5], ARGV[6]) then
    redis.call('DEL', key)
    return 0
end
if is_retracted() then return 0 end
local head = redis.call('LINDEX', key, 0)
if not head then return 0 end
insert(key, head)
return 1
