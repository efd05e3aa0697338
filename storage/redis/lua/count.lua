-- Counts requests in a window that starts with its first.
-- KEYS[1] the counter; KEYS[2], if given, must hold something, else nothing is counted.
-- ARGV[1] the window's seconds; ARGV[2] how many. Answers {requests so far, milliseconds left}, or nil.
if KEYS[2] and redis.call('STRLEN', KEYS[2]) == 0 then
  return nil
end
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
if count == tonumber(ARGV[2]) then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return {count, redis.call('PTTL', KEYS[1])}
