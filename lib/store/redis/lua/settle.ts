export const settle = /* lua */ `
-- Forgets a writer that is no longer in flight.
--
-- KEYS: the registry
-- ARGV: the writer's id

local writer = ARGV[1]
-- a value of another type is not a registry
local packed = redis.pcall('HGET', registry, 'w' .. writer)
if type(packed) ~= 'string' then
  return
end

local function forget()
  local record = decodeWriter(packed)
  local fields = prefixed('d', record.d)
  local gone, changed = { 'w' .. writer }, {}
  for i, list in ipairs(fetch(fields)) do
    local writers = without(decode(list), writer)
    if writers then
      changed[#changed + 1] = fields[i]
      changed[#changed + 1] = cmsgpack.pack(writers)
    else
      gone[#gone + 1] = fields[i]
    end
  end
  if record.a then
    local writers = without(decode(redis.call('HGET', registry, 'everything')), writer)
    if writers then
      changed[#changed + 1] = 'everything'
      changed[#changed + 1] = cmsgpack.pack(writers)
    else
      gone[#gone + 1] = 'everything'
    end
  end
  chunked(changed, function(_, ...)
    redis.call('HSET', registry, ...)
  end)
  chunked(gone, function(_, ...)
    redis.call('HDEL', registry, ...)
  end)
end

local ok, failure = pcall(forget)
if not ok and failure == ODD then
  -- the next request creates it again, in quarantine
  redis.call('DEL', registry)
elseif not ok then
  return failed(failure)
end
`;
