-- Has a timeline serve under another epoch, in which its reader has found its merge set to be right; answers 1 or 0.
-- KEYS: timeline. ARGV: its token, the epoch that was read before the merge set was looked up.
local trailer = redis.call('LINDEX', KEYS[1], -1)
if not trailer or string.sub(trailer, 1, 1) ~= 'R' or string.sub(trailer, 18, 25) ~= ARGV[1] then return 0 end
redis.call('LSET', KEYS[1], -1, string.sub(trailer, 1, 37) .. ARGV[2] .. string.sub(trailer, 46))
return 1
