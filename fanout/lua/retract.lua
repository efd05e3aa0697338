-- Takes one entry out of the timelines among KEYS; answers how many held it.
-- KEYS: timelines of one shard. ARGV: entry id.
local held = 0
for _, key in ipairs(KEYS) do
    held = held + redis.call('LREM', key, 1, ARGV[1])
end
return held
