-- One window of many recent lists together, in id order: the highest floor, the places of lists that are not ready,
-- the rest, then ids newest first. The rest: up to `most` ids below those, as far as they are above `settled`, in
-- one string; empty of a read with `after`.
-- KEYS: recent lists of one shard. ARGV: before or '', after or '', count, settled, most. Read-only.
-- See timelines/recents.py.
local before, after, count, settled, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local CHUNK = 100
local upwards = after ~= ''
local bound = upwards and after or before

-- An entry as {high, low, id}: ids are compared as two halves.
local function entry_of(id)
    local high, low = struct.unpack(ID_HALVES, id)
    return {high, low, id}
end
local limit_high, limit_low
if bound ~= '' then limit_high, limit_low = struct.unpack(ID_HALVES, bound) end

-- Whether the entry at this place is not below `bound` (going up: above it).
local function is_before_place(key, place)
    local id = redis.call('LINDEX', key, place)
    if id == bound then return not upwards end
    local high, low = struct.unpack(ID_HALVES, id)
    return is_higher(high, low, limit_high, limit_low)
end

-- The place of the first entry below `bound` (going up: not above it), or the length. Most pages are near the
-- head: so in doubling strides from there, then by halves.
local function place_of(key)
    local first, last, stride = 0, redis.call('LLEN', key) - 2, 1
    while first < last do
        local probe = math.min(first + stride, last) - 1
        if not is_before_place(key, probe) then
            last = probe
            break
        end
        first, stride = probe + 1, stride * 2
    end
    while first < last do
        local middle = math.floor((first + last) / 2)
        if is_before_place(key, middle) then first = middle + 1 else last = middle end
    end
    return first
end

local floor, missing, lists = entry_of(NONE), {}, {}
for place, key in ipairs(KEYS) do
    local trailer = redis.call('LINDEX', key, TRAILER)
    if not is_ready(trailer) then
        missing[#missing + 1] = place
    else
        local own_floor = entry_of(floor_of(trailer))
        if is_higher(own_floor[1], own_floor[2], floor[1], floor[2]) then floor = own_floor end
        local from = limit_high and place_of(key) or 0
        if upwards then from = from - 1 end
        local nearest = from >= 0 and redis.call('LINDEX', key, from)
        if nearest and #nearest == ID_BYTES then
            lists[#lists + 1] = {key = key, from = from, nearest = entry_of(nearest)}
        end
    end
end

local function is_nearer(a, b)
    if upwards then return is_higher(b[1], b[2], a[1], a[2]) end
    return is_higher(a[1], a[2], b[1], b[2])
end

-- What a list has at all among the nearest, it has only if its nearest entry is among them.
table.sort(lists, function(a, b) return is_nearer(a.nearest, b.nearest) end)
local found = {}
for number = 1, math.min(count, #lists) do
    local list = lists[number]
    local first, last = list.from, list.from + count - 1
    if upwards then first, last = math.max(0, list.from - count + 1), list.from end
    for _, id in ipairs(redis.call('LRANGE', list.key, first, last)) do
        if #id == ID_BYTES then found[#found + 1] = entry_of(id) end
    end
end
table.sort(found, is_nearer)

-- Up to `most` ids of a list, from the nearest on, that are above `settled` and below `last`; put behind those in
-- `standing`.
local function add_rest(list, last, standing)
    local high, low = struct.unpack(ID_HALVES, settled)
    local place, added = list.from, 0
    while true do
        for _, id in ipairs(redis.call('LRANGE', list.key, place, place + CHUNK - 1)) do
            if #id ~= ID_BYTES or added == most then return end
            local entry = entry_of(id)
            if not is_higher(entry[1], entry[2], high, low) then return end
            if is_nearer(last, entry) then
                standing[#standing + 1] = entry
                added = added + 1
            end
        end
        place = place + CHUNK
    end
end

-- Only if a whole window is above `settled` can there be more, and only in lists that have something there.
local function rest_below(last)
    local standing, ids = {}, {}
    for _, list in ipairs(lists) do add_rest(list, last, standing) end
    table.sort(standing, is_nearer)
    for number = 1, math.min(most, #standing) do ids[number] = standing[number][3] end
    return table.concat(ids)
end

local kept = math.min(count, #found)
local answer = {floor[3], missing, not upwards and most > 0 and kept == count and rest_below(found[kept]) or ''}
for number = 1, kept do
    answer[#answer + 1] = found[upwards and kept - number + 1 or number][3]
end
return answer
