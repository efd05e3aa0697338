-- Publishes what an operation on an entry has brought about, unless a later one came before; answers 1, OVERTAKEN or
-- STALE_SNAPSHOT. Leaves the tombstone of the operation: whoever lifts it comes before all of this, or after it.
-- KEYS: tombstone of the entry, generation.
-- ARGV: operation, seconds of the tombstone, of the snapshot: microseconds, greatest age, generation; PUBLISH or SPUBLISH, channel
-- (of the shard, too), message.
if is_stale(KEYS[2], ARGV[3], ARGV[4], ARGV[5]) then return STALE_SNAPSHOT end
if is_overtaken(KEYS[1], ARGV[1]) then return OVERTAKEN end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call(ARGV[6], ARGV[7], ARGV[8])
return 1
