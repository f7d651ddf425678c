export const lease = /* lua */ `
-- Takes a lease on one table: registers the schemes of a query and creates missing stamps, unless the registry is in
-- quarantine or a writer in flight touches a dependency of the query.
--
-- KEYS: the registry, the table's stamp, the dependencies' stamps, the trails of the versioned ones
-- ARGV: the epoch; 'sure' if the server has just confirmed it; a random token;
--       how long the stamps and the registry must live (milliseconds); the most schemes, and how many to forget at
--       least if there are more; the length of the dependencies' common prefix;
--       then for each dependency the id of its scheme, its definition, and 'counts' for a versioned stamp
--
-- Returns { 'epoch' } if the registry is of another epoch, { 'quarantine', nonce },
-- { 'writers', id, xid, age in milliseconds, id, xid, age, … } or { 'granted', stamp, stamp, … }

local tableStamp = KEYS[2]
local epoch, sure, token = ARGV[1], ARGV[2] == 'sure', ARGV[3]
local stampTtl, registryTtl = tonumber(ARGV[4]), ARGV[5]
local maxSchemes, room, prefixLength = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local FIRST = 9
local LAST_STAMP = 2 + (#ARGV - FIRST + 1) / 3

-- The stamps. Creates missing ones.
local function grant()
  local answer, keys = { 'granted' }, {}
  for i = 2, LAST_STAMP do
    keys[i - 1] = KEYS[i]
  end
  chunked(keys, function(first, ...)
    for i, stamp in ipairs(redis.call('MGET', ...)) do
      answer[first + i] = stamp
    end
  end)

  -- A stamp of another epoch is never valid.
  if not isOfTable(answer[2], epoch) then
    answer[2] = false
  end
  local made = {}
  local trail = LAST_STAMP
  for i = 2, LAST_STAMP do
    local key, trailKey = KEYS[i], nil
    if i > 2 and ARGV[FIRST + 3 * (i - 3) + 2] == 'counts' then
      trail = trail + 1
      trailKey = KEYS[trail]
    end
    if i > 2 and not (trailKey and isCounted or isPlain)(answer[i]) then
      answer[i] = false
    end
    if made[key] then
      answer[i] = made[key]
    elseif not answer[i] then
      answer[i] = i == 2 and epoch .. '.' .. token or token .. '.' .. i
      if trailKey then
        answer[i] = answer[i] .. ':' .. string.rep('0', DIGITS)
        redis.call('DEL', trailKey) -- belongs to a stamp that is lost
      end
      made[key] = answer[i]
      redis.call('SET', key, answer[i], 'PX', stampTtl)
    elseif redis.call('PTTL', key) < stampTtl then
      redis.call('PEXPIRE', key, stampTtl)
      if trailKey then
        redis.call('PEXPIRE', trailKey, stampTtl)
      end
    end
  end
  return answer
end

local definitions, ids = {}, {}
for i = FIRST, #ARGV, 3 do
  local id = ARGV[i]
  if not definitions[id] then
    definitions[id] = ARGV[i + 1]
    ids[#ids + 1] = id
  end
end
local dependencies = {}
for i = 3, LAST_STAMP do
  dependencies[i - 2] = string.sub(KEYS[i], prefixLength + 1)
end

-- Records the use of the schemes.
local function use(clock)
  local now = string.format('%.0f', clock + 1)
  local fields = { 'clock', now }
  for i, id in ipairs(ids) do
    fields[2 * i + 1] = 'u' .. id
    fields[2 * i + 2] = now
  end
  chunked(fields, function(_, ...)
    redis.call('HSET', registry, ...)
  end)
  redis.call('PEXPIRE', registry, registryTtl)
end

-- The fast path: one HMGET shows that the registry is of this epoch and not in quarantine, knows all schemes, and has
-- no writer in flight on the dependencies. Then the stamps can be granted at once.
local function isUsual()
  if #dependencies > 100 then
    return false
  end
  local fields = { 'epoch', 'quarantine', 'everything', 'clock' }
  for _, id in ipairs(ids) do
    fields[#fields + 1] = 's' .. id
  end
  local lastScheme = #fields
  for _, dependency in ipairs(dependencies) do
    fields[#fields + 1] = 'd' .. dependency
  end
  local lastDependency = #fields
  -- the most recently used schemes need no update
  for _, id in ipairs(ids) do
    fields[#fields + 1] = 'u' .. id
  end
  local values = redis.pcall('HMGET', registry, unpack(fields))
  if values.err or values[1] ~= epoch or values[2] or values[3] then
    return false
  end
  for i = 5, lastDependency do
    if values[i] ~= (i <= lastScheme and '') then
      return false
    end
  end
  local clock = values[4]
  local isLong = stampTtl >= tonumber(registryTtl)
  for i = lastDependency + 1, #fields do
    if values[i] ~= clock or isLong then
      use(tonumber(clock) or 0)
      break
    end
  end
  return true
end

if isUsual() then
  return grant()
end

if not open(tableStamp, epoch, sure, token) then
  return { 'epoch' }
end

local function lease()
  local blind, missing = {}, {}
  for i, packed in ipairs(fetch(prefixed('s', ids))) do
    if packed then
      blind[ids[i]] = decode(packed)
    else
      missing[#missing + 1] = ids[i]
    end
  end

  -- A scheme is registered even if the lease is refused. Otherwise a sequence of writers that do not know it could
  -- refuse the lease forever.
  if #missing > 0 then
    local schemes = fetchSchemes()
    local others, count = {}, 0
    for id in pairs(schemes) do
      count = count + 1
      if not definitions[id] then
        others[#others + 1] = id
      end
    end

    local excess = count + #missing - maxSchemes
    if excess > 0 and #others > 0 then
      -- writers will no longer delete the stamps of the forgotten schemes
      redis.call('DEL', tableStamp)
      local used = {}
      for i, clock in ipairs(fetch(prefixed('u', others))) do
        used[others[i]] = tonumber(clock) or 0
      end
      table.sort(others, function(a, b) return used[a] < used[b] end)
      for i = 1, math.min(#others, math.max(excess, room)) do
        schemes[others[i]] = nil
        redis.call('HDEL', registry, 's' .. others[i], 'u' .. others[i])
      end
    end

    local inFlight = {}
    for _, field in ipairs(redis.call('HKEYS', registry)) do
      if string.sub(field, 1, 1) == 'w' then
        inFlight[#inFlight + 1] = string.sub(field, 2)
      end
    end
    for _, id in ipairs(missing) do
      schemes[id] = definitions[id]
      blind[id] = inFlight
    end
    storeSchemes(schemes, token)
  end

  local suspects, suspected = {}, {}
  local function suspect(writers)
    for _, id in ipairs(writers) do
      if not suspected[id] then
        suspected[id] = true
        suspects[#suspects + 1] = id
      end
    end
  end
  suspect(decode(redis.call('HGET', registry, 'everything')))
  for _, packed in ipairs(fetch(prefixed('d', dependencies))) do
    suspect(decode(packed))
  end
  for _, id in ipairs(ids) do
    suspect(blind[id])
  end

  local time = now()
  local refusal, records = { 'writers' }, {}
  for i, packed in ipairs(fetch(prefixed('w', suspects))) do
    if packed then
      local record = decodeWriter(packed)
      records[suspects[i]] = true
      refusal[#refusal + 1] = suspects[i]
      refusal[#refusal + 1] = record.x
      refusal[#refusal + 1] = math.max(0, time - record.t)
    end
  end

  for _, id in ipairs(ids) do
    local still = {}
    for _, writer in ipairs(blind[id]) do
      if records[writer] then
        still[#still + 1] = writer
      end
    end
    redis.call('HSET', registry, 's' .. id, encode(still))
  end
  use(tonumber(redis.call('HGET', registry, 'clock') or 0))

  local quarantine = redis.call('HGET', registry, 'quarantine')
  if quarantine then
    check(string.match(quarantine, TOKEN .. '$'))
    return { 'quarantine', quarantine }
  end
  if #refusal > 1 then
    return refusal
  end

  return grant()
end

return attempt(lease, tableStamp, epoch, token)
`;
