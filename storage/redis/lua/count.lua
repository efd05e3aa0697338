-- Counts one request in a window that starts with its first.
-- KEYS[1] the counter; KEYS[2], if given, must hold something, else nothing is counted.
-- ARGV[1] the window's seconds. Answers {requests so far, milliseconds left}, or nil.
if KEYS[2] and redis.call('STRLEN', KEYS[2]) == 0 then
  return nil
end
local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return {count, redis.call('PTTL', KEYS[1])}
