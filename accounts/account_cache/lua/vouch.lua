-- Vouches for a shard, if its generation is still the one of the look.
-- KEYS: generation, vouch, the place up to which notes were told. ARGV: that generation, this server's milliseconds when
-- the look began, milliseconds that a vouch lasts, 'told' or 'away', the place or '', seconds to remember it.
-- All has been told that had changed when the look began, or the store was away then: from then on it lasts. That it is
-- away takes nothing back from who could look. A look that took longer than a vouch lasts, or is heard so late, vouches
-- for nothing.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[6]) end
local time = redis.call('TIME')
local left = ARGV[2] + ARGV[3] - (time[1] * 1000 + math.floor(time[2] / 1000))
if left <= 0 then return 0 end
if ARGV[4] == 'away' and redis.call('GET', KEYS[2]) == 'told' then return 0 end
redis.call('SET', KEYS[2], ARGV[4], 'PX', string.format('%d', left))
return 1
