-- What scripts share that begin a generation; joined in front of them.
-- KEYS: generation of each shard. ARGV begin with: nonce of a new generation.

local run = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 16)

-- The generation, if each shard has it, and it is this server's own.
local function standing()
    local current = redis.call('GET', KEYS[1])
    if not current or string.sub(current, 1, 16) ~= run then return nil end
    for place = 2, #KEYS do
        if redis.call('GET', KEYS[place]) ~= current then return nil end
    end
    return current
end

local function begin()
    for _, key in ipairs(KEYS) do redis.call('SET', key, run .. ARGV[1]) end
    return run .. ARGV[1]
end
