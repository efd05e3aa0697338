-- Keeps values that were read from the store, unless the generation that was read before has ended.
-- KEYS: generation, then a place for each value. ARGV: that generation, seconds to live,
-- '1' to keep what stands there or '0' to overwrite it, then the values. Answers how many were kept.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local kept = 0
for place = 2, #KEYS do
    local value = ARGV[place + 2]
    if ARGV[3] == '0' then
        redis.call('SET', KEYS[place], value, 'EX', ARGV[2])
        kept = kept + 1
    elseif redis.call('SET', KEYS[place], value, 'EX', ARGV[2], 'NX') then
        kept = kept + 1
    end
end
return kept
