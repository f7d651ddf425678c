-- Marks a writer on one table, before it commits: deletes the stamps of what it touches and records it as in flight.
--
-- KEYS: the registry, the table's stamp, the stamps of the dependencies that it touches
-- ARGV: the epoch; 'sure' if it has just been learnt; a random token; how long the registry must live (milliseconds);
--       the most records that a registry keeps; the length of the dependencies' common prefix;
--       the writer's id and xid; 'everything' or the version of the schemes that it knows, after a colon
--
-- Returns { 'epoch' } if the registry is of another epoch, { 'schemes', version, definition, … } if there are schemes
-- that the writer does not know (nothing is done then), or { 'marked' }

local tableStamp = KEYS[2]
local epoch, sure, token = ARGV[1], ARGV[2] == 'sure', ARGV[3]
local registryTtl, maxRecords, prefixLength = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local writer, xid, extent = ARGV[7], ARGV[8], ARGV[9]
local everything = extent == 'everything'

if not open(tableStamp, epoch, sure, token) then
  return { 'epoch' }
end

if not everything and extent ~= ':' .. redis.call('HGET', registry, 'version') then
  local known = knownSchemes()
  -- whoever knows nothing knows all there is of a registry without schemes
  if #known > 1 then
    table.insert(known, 1, 'schemes')
    return known
  end
end

-- The quarantine covers all those that are forgotten here.
if redis.call('HLEN', registry) + #KEYS > maxRecords then
  renew(tableStamp, epoch, token)
end

if everything then
  redis.call('DEL', tableStamp)
end
local stamps, dependencies = {}, {}
for i = 3, #KEYS do
  stamps[i - 2] = KEYS[i]
  dependencies[i - 2] = string.sub(KEYS[i], prefixLength + 1)
end
chunked(stamps, function(_, ...)
  redis.call('DEL', ...)
end)

local record = decode(redis.call('HGET', registry, 'w' .. writer))
local touched = record.d or {}
local fields, added = prefixed('d', dependencies), {}
for i, packed in ipairs(fetch(fields)) do
  local writers = decode(packed)
  if not contains(writers, writer) then
    writers[#writers + 1] = writer
    touched[#touched + 1] = dependencies[i]
    added[#added + 1] = fields[i]
    added[#added + 1] = cmsgpack.pack(writers)
  end
end
chunked(added, function(_, ...)
  redis.call('HSET', registry, ...)
end)

if everything and not record.a then
  local writers = decode(redis.call('HGET', registry, 'everything'))
  writers[#writers + 1] = writer
  redis.call('HSET', registry, 'everything', cmsgpack.pack(writers))
end
-- the time is that of the last mark: whoever marks again shows that it is alive
redis.call('HSET', registry, 'w' .. writer, cmsgpack.pack({
  x = xid,
  t = now(),
  a = record.a or everything,
  d = touched,
}))
redis.call('PEXPIRE', registry, registryTtl)
return { 'marked' }
