-- Has an entry's tombstone say that this operation puts it back, from now on; answers 1, OVERTAKEN or STALE_SNAPSHOT.
-- KEYS: tombstone of the entry, generation.
-- ARGV: operation, seconds of the tombstone, and of the snapshot: microseconds, greatest age, generation.
if is_stale(KEYS[2], ARGV[3], ARGV[4], ARGV[5]) then return STALE_SNAPSHOT end
if is_overtaken(KEYS[1], ARGV[1]) then return OVERTAKEN end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
