-- For wrk: each request is made by the next of the people whose tokens stand in a file, one a line.
local threads = 0
function setup(thread)
    thread:set("offset", threads)
    threads = threads + 1
end

function init(arguments)
    requests, place = {}, 0
    for token in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format("GET", nil, {Authorization = "Bearer " .. token, Host = wrk.headers.Host})
    end
    place = math.floor(#requests / 2) * offset
end

function request()
    place = place % #requests + 1
    return requests[place]
end
