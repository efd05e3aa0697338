-- In which timelines of a shard an entry stands, and who is to be shown it like everybody else.
-- Answers the shard's generation; a letter for each reader, in their order; another one for each; then, for each P,
-- since when the entry's author is pulled there; then, for each S and P who is told apart, their exclusions, graph
-- version and version of marks.
-- S: it stands. M: it does not. P: it does not, but the timeline merges its author. U: the timeline is not ready,
-- outdated or of another epoch, or the entry is not above its floor.
-- A: like all, who exclude nobody and have changed no mark lately. T: told apart.
-- KEYS: epoch, settled place, generation, then of all readers the timelines, graph versions, exclusions and versions of
-- marks. ARGV: entry, its author; what stands before and behind the version in the exclusions of who excludes nobody;
-- the graph version from which on marks may have changed unseen; how long a version of marks is that is of no change.
-- Read-only.
local entry, author, before, behind, unseen, unchanged = unpack(ARGV)
local CHUNK = 10

local epoch, settled = current(KEYS[1]), redis.call('GET', KEYS[2])
local high, low = struct.unpack(ID_HALVES, entry)
local unseen_high, unseen_low = struct.unpack(ID_HALVES, unseen)

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

local function is_like_all(graph, excluded, marked)
    return excluded == before .. graph .. behind and is_higher(unseen_high, unseen_low, struct.unpack(ID_HALVES, graph))
        and (not marked or #marked == tonumber(unchanged))
end

local letters, kinds, sinces, signs = {}, {}, {}, {}
local readers = (#KEYS - 3) / 4
local found = redis.call('MGET', unpack(KEYS, 4 + readers))
for reader = 1, readers do
    local key = KEYS[3 + reader]
    local merge_set, trailer = unpack(redis.call('LRANGE', key, MERGE_SET, TRAILER))
    local graph, excluded, marked = found[reader] or NONE, found[reader + readers], found[reader + 2 * readers]
    local is_of_now = settled and is_ready(trailer) and epoch_of(trailer) == epoch and graph_version_of(trailer) == graph
        and is_higher(high, low, struct.unpack(ID_HALVES, floor_of(trailer)))
    local letter, kind = 'U', 'A'
    if is_of_now then
        if stands(key) then
            letter = 'S'
        else
            local since = since_when(merge_set)
            letter = since and 'P' or 'M'
            sinces[#sinces + 1] = since
        end
    end
    if (letter == 'S' or letter == 'P') and not is_like_all(graph, excluded, marked) then
        kind = 'T'
        signs[#signs + 1] = {excluded, found[reader], marked}
    end
    letters[reader], kinds[reader] = letter, kind
end
return {redis.call('GET', KEYS[3]), table.concat(letters), table.concat(kinds), sinces, signs}
