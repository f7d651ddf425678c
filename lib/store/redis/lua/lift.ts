export const lift = /* lua */ `
-- Ends a quarantine, unless the registry has been replaced since.
--
-- KEYS: the registry
-- ARGV: the nonce of the quarantine

-- a value of another type is not a registry
if redis.pcall('HGET', registry, 'quarantine') == ARGV[1] then
  redis.call('HDEL', registry, 'quarantine')
end
`;
