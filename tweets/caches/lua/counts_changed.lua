-- A tweet's counts have changed: guards a small one's, leaves a large one's, which go stale by themselves.
-- KEYS: counts of one tweet. ARGV: guard's seconds. See caches/counts.py for the layout.
if redis.call('GETRANGE', KEYS[1], 0, 0) == 'L' then return 0 end
redis.call('SET', KEYS[1], '', 'EX', ARGV[1])
return 1
