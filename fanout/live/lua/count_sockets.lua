-- Says how many sockets one process has of a reader's, and answers how many the others have.
-- KEYS[1] the reader's hash: process -> "<sockets> <until>", by this server's seconds.
-- ARGV[1] the process; ARGV[2] its sockets, 0 for none any more; ARGV[3] for how many seconds that counts.
local now = tonumber(redis.call('TIME')[1])
local fields = redis.call('HGETALL', KEYS[1])
local others = 0
for place = 1, #fields, 2 do
  local sockets, ends = string.match(fields[place + 1], '^(%d+) (%d+)$')
  if tonumber(ends) < now then
    redis.call('HDEL', KEYS[1], fields[place])
  elseif fields[place] ~= ARGV[1] then
    others = others + tonumber(sockets)
  end
end
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. (now + tonumber(ARGV[3])))
  redis.call('EXPIRE', KEYS[1], tonumber(ARGV[3]) + 1)
end
return others
