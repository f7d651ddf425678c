-- Ends a quarantine, unless the registry has been made anew since.
--
-- KEYS: the registry
-- ARGV: the nonce of the quarantine

-- what is of another type is no registry, and not in quarantine
if redis.pcall('HGET', registry, 'quarantine') == ARGV[1] then
  redis.call('HDEL', registry, 'quarantine')
end
