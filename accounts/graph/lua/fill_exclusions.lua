-- Keeps exclusions that were read from the store, unless another reader, a flush or a restart came between.
-- KEYS: exclusions. ARGV: the placeholder that the reader left before it read, value, seconds. Answers 1 or 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
