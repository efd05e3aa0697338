-- Keeps values that were read from the store, unless the generation that was read before has ended.
-- KEYS: generation, then a place for each value. ARGV: that generation, seconds to live, what is left standing ('all'
-- that stands there, 'guards' alone, or 'nothing'), this server's millisecond from which on nothing is kept, or '', then
-- the values. Answers how many were kept.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[4] ~= '' then
    local time = redis.call('TIME')
    if time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(ARGV[4]) then return 0 end
end
local kept = 0
for place = 2, #KEYS do
    local value = ARGV[place + 3]
    if ARGV[3] == 'nothing' or (ARGV[3] == 'guards' and redis.call('GET', KEYS[place]) ~= '') then
        redis.call('SET', KEYS[place], value, 'EX', ARGV[2])
        kept = kept + 1
    elseif ARGV[3] == 'all' and redis.call('SET', KEYS[place], value, 'EX', ARGV[2], 'NX') then
        kept = kept + 1
    end
end
return kept
