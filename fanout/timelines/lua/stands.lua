-- In which timelines of a shard an entry stands: a letter for each reader, in their order; then, for each P, since when
-- the entry's author is pulled there.
-- S: it stands. M: it does not. P: it does not, but the timeline merges its author. U: the timeline is not ready,
-- outdated or of another epoch, or the entry is not above its floor.
-- KEYS: epoch, settled place, then the timelines of all readers, then their graph versions. ARGV: entry, its author.
-- Read-only.
local entry, author = ARGV[1], ARGV[2]
local CHUNK = 10

local epoch, settled = current(KEYS[1]), redis.call('GET', KEYS[2])
local high, low = struct.unpack(ID_HALVES, entry)

local function since_when(merge_set)
    for position = AUTHORS, #merge_set, AUTHOR_BYTES do
        if sub(merge_set, position, position + ID_BYTES - 1) == author then
            return sub(merge_set, position + ID_BYTES, position + AUTHOR_BYTES - 1)
        end
    end
end

-- Entries stand newest first, and behind them what is none.
local function stands(key)
    local place = 0
    while true do
        local chunk = redis.call('LRANGE', key, place, place + CHUNK - 1)
        for _, id in ipairs(chunk) do
            if id == entry then return true end
            if #id ~= ID_BYTES or is_higher(high, low, struct.unpack(ID_HALVES, id)) then return false end
        end
        place = place + CHUNK
    end
end

local letters, sinces = {}, {}
local readers = (#KEYS - 2) / 2
for place = 3, 2 + readers do
    local merge_set, trailer = unpack(redis.call('LRANGE', KEYS[place], MERGE_SET, TRAILER))
    local is_of_now = settled and is_ready(trailer) and epoch_of(trailer) == epoch
        and graph_version_of(trailer) == current(KEYS[place + readers])
        and is_higher(high, low, struct.unpack(ID_HALVES, floor_of(trailer)))
    local letter, since = 'U', nil
    if is_of_now then
        if stands(KEYS[place]) then
            letter = 'S'
        else
            since = since_when(merge_set)
            letter = since and 'P' or 'M'
        end
    end
    letters[#letters + 1] = letter
    if since then sinces[#sinces + 1] = since end
end
return {table.concat(letters), unpack(sinces)}
