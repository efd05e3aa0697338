-- Takes one guess back from each counter that stands; with an address, remembers it as one that was right.
-- KEYS: addresses that were right, then the counters. ARGV: how many are kept, their seconds, the address or nothing.
for place = 2, #KEYS do
    if tonumber(redis.call('GET', KEYS[place]) or 0) > 0 then redis.call('DECR', KEYS[place]) end
end
if ARGV[3] ~= '' then
    redis.call('LREM', KEYS[1], 0, ARGV[3])
    redis.call('LPUSH', KEYS[1], ARGV[3])
    redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
    redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return 1
