-- Puts another seal on an entry, unless it has been filled, or sealed, anew meanwhile. Its payload is not touched.
--
-- KEYS: the entry
-- ARGV: how the entry begins, how it is to begin; both are of the same length

if redis.pcall('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  redis.call('SETRANGE', KEYS[1], 0, ARGV[2])
end
