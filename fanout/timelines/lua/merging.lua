-- The places of the readers whose timelines merge an author, or are not those of now (whoever reads one looks anew).
-- KEYS: epoch, then timeline and graph version of each reader, all of one shard. ARGV: author. Read-only.
local author = ARGV[1]
local epoch = redis.call('GET', KEYS[1]) or string.rep('\0', 8)

local function merges(merge_set)
    for offset = 2, #merge_set, 16 do
        if string.sub(merge_set, offset, offset + 7) == author then return true end
    end
    return false
end

local function is_of_now(trailer, version)
    return string.sub(trailer, 1, 1) == 'R' and string.sub(trailer, 10, 17) == version
        and string.sub(trailer, 38, 45) == epoch
end

local found = {}
for place = 2, #KEYS, 2 do
    local merge_set, trailer = unpack(redis.call('LRANGE', KEYS[place], -2, -1))
    local version = redis.call('GET', KEYS[place + 1]) or string.rep('\0', 8)
    if not trailer or not is_of_now(trailer, version) or merges(merge_set) then found[#found + 1] = place / 2 - 1 end
end
return found
