-- Fan-out without any of its guarantees: blind, into the lists that are there, trimmed past a slack.
-- KEYS: lists. ARGV: entry, cap, slack.
local id, cap, most = ARGV[1], tonumber(ARGV[2]), ARGV[2] + ARGV[3]
for place = 1, #KEYS do
    if redis.call('LPUSHX', KEYS[place], id) > most then redis.call('LTRIM', KEYS[place], 0, cap - 1) end
end
return #KEYS
