-- Tells the schemes that are registered, for a client that has not written to this table yet.
--
-- KEYS: the registry
--
-- Returns { version, definition, … }

local found = redis.pcall('TYPE', registry)
-- what is of another type is no registry
if found.ok ~= 'hash' then
  return { '' }
end
return knownSchemes()
