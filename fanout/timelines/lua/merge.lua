-- Ends a rebuild: pulled and delivered entries in id order above the floor, ready from now on.
-- KEYS: timeline, graph version, epoch.
-- ARGV: token, floor, seconds to live, merge set, pulled ids newest first in one string.
-- Answers 1, or 0 when the timeline is no longer this build's, or the graph or the epoch has changed since it opened.
local key, token, floor, seconds, merge_set, pulled = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local version = redis.call('GET', KEYS[2]) or string.rep('\0', 8)
local epoch = redis.call('GET', KEYS[3]) or string.rep('\0', 8)
local trailer = redis.call('LINDEX', key, -1)
if not trailer or string.sub(trailer, 1, 1) ~= 'B' or string.sub(trailer, 18, 25) ~= token then return 0 end
if string.sub(trailer, 10, 17) ~= version or string.sub(trailer, 38, 45) ~= epoch then return 0 end

local function is_above(a, b)
    local a_high, a_low = struct.unpack('>I4I4', a)
    local b_high, b_low = struct.unpack('>I4I4', b)
    return a_high > b_high or (a_high == b_high and a_low > b_low)
end

local trimmed_floor = string.sub(trailer, 2, 9)
if is_above(trimmed_floor, floor) then floor = trimmed_floor end

local retracted = {}
for offset = 62, #trailer, 8 do retracted[string.sub(trailer, offset, offset + 7)] = true end

local delivered = redis.call('LRANGE', key, 0, -3)
local merged, place = {}, 1
local function keep(id)
    if is_above(id, floor) and merged[#merged] ~= id and not retracted[id] then merged[#merged + 1] = id end
end
for offset = 1, #pulled, 8 do
    local id = string.sub(pulled, offset, offset + 7)
    while delivered[place] and is_above(delivered[place], id) do
        keep(delivered[place])
        place = place + 1
    end
    keep(id)
end
while delivered[place] do
    keep(delivered[place])
    place = place + 1
end

redis.call('DEL', key)
for start = 1, #merged, 500 do
    redis.call('RPUSH', key, unpack(merged, start, math.min(start + 499, #merged)))
end
redis.call('RPUSH', key, 'M' .. merge_set, 'R' .. floor .. string.sub(trailer, 10, 61))
redis.call('EXPIRE', key, seconds)
return 1
