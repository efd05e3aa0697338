-- Has a timeline serve under another epoch, in which its reader has found its merge set to be right; answers 1 or 0.
-- KEYS: timeline. ARGV: its token, the epoch that was read before the merge set was looked up.
local trailer = redis.call('LINDEX', KEYS[1], TRAILER)
if not is_ready(trailer) or token_of(trailer) ~= ARGV[1] then return 0 end
redis.call('LSET', KEYS[1], TRAILER, with_epoch(trailer, ARGV[2]))
return 1
