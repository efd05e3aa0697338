-- One window of a ready timeline: floor, merge set, 1 if the epoch is its own,
-- when it was opened, 1 if it ends within so many seconds, the settled place, the rest (ids in one string,
-- or false), then ids newest first; empty when it is not ready or outdated, or no settled place is known.
-- The rest: up to `most` ids below those, as far as they are above the settled place.
-- KEYS: timeline, graph version, epoch, settled place.
-- ARGV: before or '', after or '', count, seconds, most of the rest. Read-only.
local key, before, after, count = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local CHUNK = 100

local merge_set, trailer = unpack(redis.call('LRANGE', key, MERGE_SET, TRAILER))
if not is_ready(trailer) then return {} end
if graph_version_of(trailer) ~= current(KEYS[2]) then return {} end
local settled = redis.call('GET', KEYS[4])
if not settled then return {} end

-- The place of the first entry at or below `bound` (below it only, when `exclusive`), or the length.
local function place_of(bound, exclusive)
    local place = 0
    local high, low = struct.unpack(ID_HALVES, bound)
    while true do
        local chunk = redis.call('LRANGE', key, place, place + CHUNK - 1)
        for _, id in ipairs(chunk) do
            if #id ~= ID_BYTES or (not exclusive and id == bound) then return place end
            if is_higher(high, low, struct.unpack(ID_HALVES, id)) then return place end
            place = place + 1
        end
    end
end

-- Up to `most` ids from `place` on that are above `settled`, in one string. Entries stand newest first, and behind them
-- what is none: halving finds where they end.
local function ids_above(settled, place, most)
    local from, to = place, place + most
    local high, low = struct.unpack(ID_HALVES, settled)
    while from < to do
        local middle = math.floor((from + to) / 2)
        local id = redis.call('LINDEX', key, middle)
        local above = false
        if id and #id == ID_BYTES then
            local id_high, id_low = struct.unpack(ID_HALVES, id)
            above = is_higher(id_high, id_low, high, low)
        end
        if above then from = middle + 1 else to = middle end
    end
    if from == place then return '' end
    return table.concat(redis.call('LRANGE', key, place, from - 1))
end

local first, last = 0, count - 1
if before ~= '' then
    first = place_of(before, true)
    last = first + count - 1
elseif after ~= '' then
    last = place_of(after, false) - 1
    first = math.max(0, last - count + 1)
end

local of_this_epoch = epoch_of(trailer) == current(KEYS[3]) and 1 or 0
local most = tonumber(ARGV[5])
local ends_soon = redis.call('TTL', key) < tonumber(ARGV[4]) and 1 or 0
local rest = most > 0 and after == '' and '' or false
local answer = {floor_of(trailer), merge_set, of_this_epoch, opened_us_of(trailer), ends_soon, settled, rest}
if last >= first then
    local behind, elements = #answer, redis.call('LRANGE', key, first, last)
    for place = 1, #elements do
        if #elements[place] == ID_BYTES then answer[behind + place] = elements[place] end
    end
    if rest and #answer == behind + count then
        local id_high, id_low = struct.unpack(ID_HALVES, answer[#answer])
        local high, low = struct.unpack(ID_HALVES, settled)
        if is_higher(id_high, id_low, high, low) then answer[behind] = ids_above(settled, last + 1, most) end
    end
end
return answer
