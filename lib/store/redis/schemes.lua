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
local ok, known = pcall(knownSchemes)
if ok then
  return known
end
-- what is odd is made anew by those that mark or take a lease
if known == ODD then
  return { '' }
end
return failed(known)
