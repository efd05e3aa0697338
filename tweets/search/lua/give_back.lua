-- Gives a turn back, if it is still this holder's: who was slower than it lasts leaves the next one's alone.
-- KEYS: the turn. ARGV: the holder's token.

if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
