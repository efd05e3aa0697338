-- A tweet's counts have changed: guards a small one's, leaves a large one's, which go stale by themselves; and tells
-- whoever listens to the tweet, behind the guard.
-- KEYS: counts of one tweet. ARGV: guard's seconds, the tweet's channel, what is told, PUBLISH or SPUBLISH. See caches/counts.py for the layout.
if redis.call('GETRANGE', KEYS[1], 0, 0) ~= 'L' then
  redis.call('SET', KEYS[1], '', 'EX', ARGV[1])
end
return redis.call(ARGV[4], ARGV[2], ARGV[3])
