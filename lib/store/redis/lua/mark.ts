export const mark = /* lua */ `
-- Marks a writer on one table, before it commits: deletes the stamps of the dependencies that it touches, or increments
-- versioned ones, and records the writer as in flight.
--
-- KEYS: the registry, the table's stamp, the stamps of the dependencies that it touches, the trails of versioned ones
-- ARGV: the epoch; 'sure' if the server has just confirmed it; a random token; how long the registry must live
--       (milliseconds); the most records of a registry; the length of the dependencies' common prefix;
--       the most row deltas of a trail, and the most bytes of these; the number of touched dependencies;
--       the writer's id and xid; 'everything', 'anew' (everything, and the registry is damaged), or a colon and the
--       version of the schemes that the writer knows;
--       then for each dependency '' for a plain stamp, '-' for a versioned stamp to delete, or the number of its
--       row deltas;
--       then all these deltas
--
-- Returns { 'epoch' } if the registry is of another epoch, { 'schemes', version, definition, … } if there are schemes
-- that the writer does not know (then nothing has been done), or { 'marked' }

local tableStamp = KEYS[2]
local epoch, sure, token = ARGV[1], ARGV[2] == 'sure', ARGV[3]
local registryTtl, maxRecords, prefixLength = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local maxSteps, maxTrail = tonumber(ARGV[7]), tonumber(ARGV[8])
local touches, writer, xid, extent = tonumber(ARGV[9]), ARGV[10], ARGV[11], ARGV[12]
local FIRST = 13
local everything = extent == 'everything' or extent == 'anew'

if not open(tableStamp, epoch, sure, token) then
  return { 'epoch' }
end

local function mark()
  if not everything and extent ~= ':' .. versionOfSchemes() then
    local known = knownSchemes()
    -- a registry without schemes has nothing that the writer does not know
    if #known > 1 then
      table.insert(known, 1, 'schemes')
      return known
    end
  end

  -- The quarantine covers all writers that are forgotten here.
  if extent == 'anew' or redis.call('HLEN', registry) + touches > maxRecords then
    renew(tableStamp, epoch, token)
  end

  if everything then
    redis.call('DEL', tableStamp)
  end

  -- Adds row deltas to a trail, and their number to its stamp. A missing stamp stays missing, because no seal has it.
  local function advance(stampKey, trailKey, steps)
    local stamp = redis.pcall('GET', stampKey)
    if not stamp then
      return
    end
    local split = type(stamp) == 'string' and #stamp - DIGITS or 0
    local count = isCounted(stamp) and tonumber(string.sub(stamp, split + 1))
    if not count or count + #steps > MOST_COUNTED then
      redis.call('DEL', stampKey, trailKey)
      return
    end
    local token = string.sub(stamp, 1, split)

    local last = redis.pcall('LINDEX', trailKey, -1)
    local total = type(last) == 'string' and string.sub(last, 1, #stamp) == stamp
      and tonumber(string.match(last, '^ (%d+) ', #stamp + 1))
    if not total then
      -- the trail does not end at this stamp
      redis.call('DEL', trailKey)
      total = 0
    end
    local items = {}
    for i, step in ipairs(steps) do
      total = total + #step
      items[i] = token .. string.format('%010.0f %.0f ', count + i, total) .. step
    end
    local length = 0
    chunked(items, function(_, ...)
      length = redis.call('RPUSH', trailKey, ...)
    end)
    if length > maxSteps then
      redis.call('LTRIM', trailKey, -maxSteps, -1)
    end
    -- each item contains the total size of all deltas up to it
    local first = total > maxTrail and redis.call('LINDEX', trailKey, 0)
    while first and total - (tonumber(string.match(first, '^ (%d+) ', #stamp + 1)) or 0) > maxTrail do
      redis.call('LPOP', trailKey)
      first = redis.call('LINDEX', trailKey, 0)
    end
    if length == #steps then
      -- a new trail expires with its stamp; a lease extends both
      redis.call('PEXPIRE', trailKey, redis.call('PTTL', stampKey))
    end
    redis.call('SETRANGE', stampKey, split, string.format('%010.0f', count + #steps))
  end

  -- the stamps to delete, and their trails
  local stamps, dependencies = {}, {}
  local trail, step = 3 + touches, FIRST + touches
  for i = 1, touches do
    local stamp, how = KEYS[2 + i], ARGV[FIRST + i - 1]
    dependencies[i] = string.sub(stamp, prefixLength + 1)
    if how == '' or how == '-' then
      stamps[#stamps + 1] = stamp
    else
      local steps = {}
      for j = 1, tonumber(how) do
        steps[j] = ARGV[step]
        step = step + 1
      end
      advance(stamp, KEYS[trail], steps)
    end
    if how ~= '' then
      if how == '-' then
        stamps[#stamps + 1] = KEYS[trail]
      end
      trail = trail + 1
    end
  end
  chunked(stamps, function(_, ...)
    redis.call('DEL', ...)
  end)

  -- the records of this writer, and of other writers on the same dependencies
  local fields = prefixed('d', dependencies)
  fields[#fields + 1] = 'w' .. writer
  local known = fetch(fields)
  local record = known[#fields] and decodeWriter(known[#fields]) or { d = {} }
  local touched = record.d
  local changed = {}
  for i, dependency in ipairs(dependencies) do
    local writers = decode(known[i])
    if not contains(writers, writer) then
      writers[#writers + 1] = writer
      touched[#touched + 1] = dependency
      changed[#changed + 1] = fields[i]
      changed[#changed + 1] = cmsgpack.pack(writers)
    end
  end
  if everything and not record.a then
    local writers = decode(redis.call('HGET', registry, 'everything'))
    writers[#writers + 1] = writer
    changed[#changed + 1] = 'everything'
    changed[#changed + 1] = cmsgpack.pack(writers)
  end
  changed[#changed + 1] = 'w' .. writer
  changed[#changed + 1] = cmsgpack.pack({
    x = xid,
    -- time of the last mark, because another mark shows that the writer is alive
    t = now(),
    a = record.a or everything,
    d = touched,
  })
  chunked(changed, function(_, ...)
    redis.call('HSET', registry, ...)
  end)
  redis.call('PEXPIRE', registry, registryTtl)
  return { 'marked' }
end

return attempt(mark, tableStamp, epoch, token)
`;
