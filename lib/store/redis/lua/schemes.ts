export const schemes = /* lua */ `
-- Returns the registered schemes, for a client that has not written to this table yet.
--
-- KEYS: the registry
--
-- Returns { version, definition, … }

local found = redis.pcall('TYPE', registry)
-- a value of another type is not a registry
if found.ok ~= 'hash' then
  return { '' }
end
local ok, known = pcall(knownSchemes)
if ok then
  return known
end
-- the next mark or lease replaces a damaged registry
if known == ODD then
  return { '' }
end
return failed(known)
`;
