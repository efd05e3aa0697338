-- Counts one guess at an account's password, before it is checked; each counter in a window that starts with its first.
-- KEYS: guesses from this address, guesses from all, addresses that were right. ARGV: the first one's quota, the
-- windows' seconds, this address. What is over the first quota is not counted further, nor is an address that was right.
-- Answers {guesses, milliseconds left} of the first, then of the second, which is {0, 0} where it was not counted.
local function count(key, seconds)
    local guesses = redis.call('INCR', key)
    if guesses == 1 then redis.call('EXPIRE', key, seconds) end
    return guesses, redis.call('PTTL', key)
end
local here, left = count(KEYS[1], ARGV[2])
if here > tonumber(ARGV[1]) or redis.call('LPOS', KEYS[3], ARGV[4]) then return {here, left, 0, 0} end
return {here, left, count(KEYS[2], ARGV[3])}
