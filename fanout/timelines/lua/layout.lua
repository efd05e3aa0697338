-- The bytes of a timeline, in Lua: fanout/timelines/layout.py has them in Python, and says what each field means.
-- Joined in front of scripts a paragraph at a time, as far as they name what it defines (storage/redis/preludes.py).
-- Ids stay packed, and are compared by two halves: a Lua number cannot hold 63 bits exactly.

local MERGE_SET, TRAILER = -2, -1
local ID_BYTES, ID_HALVES = 8, '>I4I4'
local READY, BUILDING = 'R', 'B'
local NONE = '\0\0\0\0\0\0\0\0'
local sub = string.sub

local function is_ready(trailer) return trailer and sub(trailer, 1, 1) == READY end

local function is_building(trailer) return trailer and sub(trailer, 1, 1) == BUILDING end

local function floor_of(trailer) return sub(trailer, 2, 9) end

local function graph_version_of(trailer) return sub(trailer, 10, 17) end

local function token_of(trailer) return sub(trailer, 18, 25) end

local function opening_of(trailer) return sub(trailer, 26, 37) end

local function epoch_of(trailer) return sub(trailer, 38, 45) end

local function opened_us_of(trailer) return sub(trailer, 46, 61) end

-- Where the ids begin that were retracted while the timeline is being built.
local RETRACTED = 62

-- Where the authors of a merge set begin, and how far apart they are.
local AUTHORS, AUTHOR_BYTES = 2, 16
local NO_MERGE_SET = 'M'

local function opened_trailer(graph_version, token, opening, epoch, opened_us)
    return BUILDING .. NONE .. graph_version .. token .. opening .. epoch .. opened_us
end

local function finished_trailer(trailer, floor) return READY .. floor .. sub(trailer, 10, 61) end

local function with_floor(trailer, floor) return sub(trailer, 1, 1) .. floor .. sub(trailer, 10) end

local function with_epoch(trailer, epoch) return sub(trailer, 1, 37) .. epoch .. sub(trailer, 46) end

-- The current graph version or epoch: NONE until the first change.
local function current(key) return redis.call('GET', key) or NONE end

-- Whether an id, by its halves, is above another.
local function is_higher(high, low, other_high, other_low)
    return high > other_high or (high == other_high and low > other_low)
end
