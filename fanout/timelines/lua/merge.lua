-- Ends a rebuild: pulled and delivered entries in id order above the floor, ready from now on.
-- KEYS: timeline, graph version, epoch.
-- ARGV: token, floor, seconds to live, merge set, pulled ids newest first in one string.
-- Answers 1, or 0 when the timeline is no longer this build's, or the graph or the epoch has changed since it opened.
local key, token, floor, seconds, merge_set, pulled = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local PUSHED_AT_ONCE = 500
local version, epoch = current(KEYS[2]), current(KEYS[3])
local trailer = redis.call('LINDEX', key, TRAILER)
if not is_building(trailer) or token_of(trailer) ~= token then return 0 end
if graph_version_of(trailer) ~= version or epoch_of(trailer) ~= epoch then return 0 end

local function halves_of(id) return struct.unpack(ID_HALVES, id) end

local floor_high, floor_low = halves_of(floor)
local trimmed_high, trimmed_low = halves_of(floor_of(trailer))
if is_higher(trimmed_high, trimmed_low, floor_high, floor_low) then
    floor, floor_high, floor_low = floor_of(trailer), trimmed_high, trimmed_low
end

local retracted = {}
for position = RETRACTED, #trailer, ID_BYTES do retracted[sub(trailer, position, position + ID_BYTES - 1)] = true end

local delivered = redis.call('LRANGE', key, 0, MERGE_SET - 1)
local merged, place = {}, 1
local function keep(id, high, low)
    if is_higher(high, low, floor_high, floor_low) and merged[#merged] ~= id and not retracted[id] then
        merged[#merged + 1] = id
    end
end

-- Keeps those delivered that are above the entry of these halves.
local function keep_delivered_above(high, low)
    while delivered[place] do
        local delivered_high, delivered_low = halves_of(delivered[place])
        if not is_higher(delivered_high, delivered_low, high, low) then return end
        keep(delivered[place], delivered_high, delivered_low)
        place = place + 1
    end
end
for position = 1, #pulled, ID_BYTES do
    local id = sub(pulled, position, position + ID_BYTES - 1)
    local high, low = halves_of(id)
    keep_delivered_above(high, low)
    keep(id, high, low)
end
keep_delivered_above(floor_high, floor_low)

redis.call('DEL', key)
for start = 1, #merged, PUSHED_AT_ONCE do
    redis.call('RPUSH', key, unpack(merged, start, math.min(start + PUSHED_AT_ONCE - 1, #merged)))
end
redis.call('RPUSH', key, merge_set, finished_trailer(trailer, floor))
redis.call('EXPIRE', key, seconds)
return 1
