-- The places of the readers whose timelines merge an author, or are not those of now (whoever reads one looks anew).
-- KEYS: epoch, then timeline and graph version of each reader, all of one shard. ARGV: author. Read-only.
local author = ARGV[1]
local epoch = current(KEYS[1])

local function merges(merge_set)
    for position = AUTHORS, #merge_set, AUTHOR_BYTES do
        if sub(merge_set, position, position + ID_BYTES - 1) == author then return true end
    end
    return false
end

local found = {}
for place = 2, #KEYS, 2 do
    local ends = redis.call('LRANGE', KEYS[place], MERGE_SET, TRAILER)
    local merge_set, trailer = ends[1], ends[2]
    local is_of_now = is_ready(trailer) and epoch_of(trailer) == epoch
        and graph_version_of(trailer) == current(KEYS[place + 1])
    if not is_of_now or merges(merge_set) then found[#found + 1] = place / 2 - 1 end
end
return found
