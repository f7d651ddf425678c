-- Marks a writer on one table, before it commits: deletes the stamps of what it touches, or lets those count that do,
-- and records it as in flight.
--
-- KEYS: the registry, the table's stamp, the stamps of the dependencies that it touches, the trails of those that count
-- ARGV: the epoch; 'sure' if it has just been learnt; a random token; how long the registry must live (milliseconds);
--       the most records that a registry keeps; the length of the dependencies' common prefix;
--       the most steps that a trail holds, and the most bytes of these; how many dependencies are touched;
--       the writer's id and xid; 'everything', 'anew' (everything, and the registry is odd) or the version of the schemes
--       that it knows, after a colon;
--       then for each dependency '' if its stamp does not count, '-' if it does but goes, or how many steps come to it;
--       then all these steps
--
-- Returns { 'epoch' } if the registry is of another epoch, { 'schemes', version, definition, … } if there are schemes
-- that the writer does not know (nothing is done then), or { 'marked' }

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
    -- whoever knows nothing knows all there is of a registry without schemes
    if #known > 1 then
      table.insert(known, 1, 'schemes')
      return known
    end
  end

  -- The quarantine covers all those that are forgotten here.
  if extent == 'anew' or redis.call('HLEN', registry) + touches > maxRecords then
    renew(tableStamp, epoch, token)
  end

  if everything then
    redis.call('DEL', tableStamp)
  end

  -- Adds steps to a trail, and lets its stamp count them. A stamp that is missing stays so: nothing is sealed with it.
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
      -- whatever it is, it is not the way to this stamp
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
    -- each item says what all until then took up
    local first = total > maxTrail and redis.call('LINDEX', trailKey, 0)
    while first and total - (tonumber(string.match(first, '^ (%d+) ', #stamp + 1)) or 0) > maxTrail do
      redis.call('LPOP', trailKey)
      first = redis.call('LINDEX', trailKey, 0)
    end
    if length == #steps then
      -- it has just begun; from now on a lease that lengthens the life of the stamp does so with that of the trail
      redis.call('PEXPIRE', trailKey, redis.call('PTTL', stampKey))
    end
    redis.call('SETRANGE', stampKey, split, string.format('%010.0f', count + #steps))
  end

  -- the stamps that go, and the trails of those
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

  -- what was known of this writer, and of the others that touch the same
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
    -- of the last mark: whoever marks again shows that it is alive
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
