export const reseal = /* lua */ `
-- Replaces the seal of an entry, unless the entry has been filled or resealed meanwhile. Does not change its payload.
--
-- KEYS: the entry
-- ARGV: the old and the new beginning of the entry, of the same length

if redis.pcall('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) == ARGV[1] then
  redis.call('SETRANGE', KEYS[1], 0, ARGV[2])
end
`;
