-- Has an entry's tombstone say that this operation puts it back, from now on; answers 1, or 0 when it is overtaken.
-- KEYS: tombstone of the entry. ARGV: operation, seconds of the tombstone.
if is_overtaken(KEYS[1], ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
