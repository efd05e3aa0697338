-- One window of a ready timeline: floor, merge set, 1 if the epoch is its own,
-- when it was opened, 1 if it ends within so many seconds, then ids newest first;
-- empty when it is not ready or outdated.
-- KEYS: timeline, graph version, epoch. ARGV: before or '', after or '', count, seconds. Read-only.
local key, before, after, count = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local CHUNK = 100

local trailer = redis.call('LINDEX', key, -1)
if not trailer or string.sub(trailer, 1, 1) ~= 'R' then return {} end
local version = redis.call('GET', KEYS[2]) or string.rep('\0', 8)
if string.sub(trailer, 10, 17) ~= version then return {} end

local function is_above(a, b)
    local a_high, a_low = struct.unpack('>I4I4', a)
    local b_high, b_low = struct.unpack('>I4I4', b)
    return a_high > b_high or (a_high == b_high and a_low > b_low)
end

-- The place of the first entry at or below `bound` (below it only, when `exclusive`), or the length.
local function place_of(bound, exclusive)
    local place = 0
    while true do
        local chunk = redis.call('LRANGE', key, place, place + CHUNK - 1)
        for _, id in ipairs(chunk) do
            if #id ~= 8 or is_above(bound, id) or (not exclusive and id == bound) then return place end
            place = place + 1
        end
    end
end

local first, last = 0, count - 1
if before ~= '' then
    first = place_of(before, true)
    last = first + count - 1
elseif after ~= '' then
    last = place_of(after, false) - 1
    first = math.max(0, last - count + 1)
end

local epoch = redis.call('GET', KEYS[3]) or string.rep('\0', 8)
local merge_set = string.sub(redis.call('LINDEX', key, -2), 2)
local of_this_epoch = string.sub(trailer, 38, 45) == epoch and 1 or 0
local ends_soon = redis.call('TTL', key) < tonumber(ARGV[4]) and 1 or 0
local answer = {string.sub(trailer, 2, 9), merge_set, of_this_epoch, string.sub(trailer, 46, 61), ends_soon}
if last >= first then
    for _, id in ipairs(redis.call('LRANGE', key, first, last)) do
        if #id == 8 then answer[#answer + 1] = id end
    end
end
return answer
