-- For wrk: each request is made by the next of the people whose tokens stand in a file, one a line.
-- A second file holds bodies, one a line: with any, the request is a POST of the next of them.
local threads = 0
function setup(thread)
    thread:set("offset", threads)
    threads = threads + 1
end

local function lines(path)
    local found = {}
    for line in io.lines(path) do
        found[#found + 1] = line
    end
    return found
end

function init(arguments)
    requests, place = {}, 0
    local bodies = lines(arguments[2])
    local method = #bodies > 0 and "POST" or "GET"
    for number, token in ipairs(lines(arguments[1])) do
        local headers = {Authorization = "Bearer " .. token, Host = wrk.headers.Host}
        if #bodies > 0 then
            headers["Content-Type"] = "application/json"
        end
        requests[number] = wrk.format(method, nil, headers, bodies[(number - 1) % math.max(#bodies, 1) + 1])
    end
    place = math.floor(#requests / 2) * offset
end

function request()
    place = place % #requests + 1
    return requests[place]
end
