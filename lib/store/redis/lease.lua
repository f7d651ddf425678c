-- Takes a lease on one table: registers the schemes of a query and creates the stamps that are missing, unless the
-- registry is in quarantine or a writer in flight touches what the query depends on.
--
-- KEYS: the registry, the table's stamp, the dependencies' stamps, the trails of those that count
-- ARGV: the epoch; 'sure' if it has just been learnt; a random token;
--       how long the stamps and the registry must live (milliseconds); how many schemes there may be,
--       and how many make room at least; the length of the dependencies' common prefix;
--       then for each dependency the id of its scheme, its definition and 'counts' if its stamp does
--
-- Returns { 'epoch' } if the registry is of another epoch, { 'quarantine', nonce },
-- { 'writers', id, xid, age in milliseconds, id, xid, age, … } or { 'granted', stamp, stamp, … }

local tableStamp = KEYS[2]
local epoch, sure, token = ARGV[1], ARGV[2] == 'sure', ARGV[3]
local stampTtl, registryTtl = tonumber(ARGV[4]), ARGV[5]
local maxSchemes, room, prefixLength = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local FIRST = 9
local LAST_STAMP = 2 + (#ARGV - FIRST + 1) / 3

if not open(tableStamp, epoch, sure, token) then
  return { 'epoch' }
end

local definitions, ids = {}, {}
for i = FIRST, #ARGV, 3 do
  local id = ARGV[i]
  if not definitions[id] then
    definitions[id] = ARGV[i + 1]
    ids[#ids + 1] = id
  end
end

local clock = redis.call('HINCRBY', registry, 'clock', 1)
local blind, missing = {}, {}
for i, packed in ipairs(fetch(prefixed('s', ids))) do
  if packed then
    blind[ids[i]] = decode(packed).b
  else
    missing[#missing + 1] = ids[i]
  end
end

-- A scheme is registered even if the lease is refused: otherwise writers that never heard of it could follow one
-- another without end.
if #missing > 0 then
  local schemes = decode(redis.call('HGET', registry, 'schemes'))
  local others, count = {}, 0
  for id in pairs(schemes) do
    count = count + 1
    if not definitions[id] then
      others[#others + 1] = id
    end
  end

  local excess = count + #missing - maxSchemes
  if excess > 0 and #others > 0 then
    -- writers will no longer delete the stamps of what is forgotten
    redis.call('DEL', tableStamp)
    local used = {}
    for i, packed in ipairs(fetch(prefixed('s', others))) do
      used[others[i]] = decode(packed).u
    end
    table.sort(others, function(a, b) return used[a] < used[b] end)
    for i = 1, math.min(#others, math.max(excess, room)) do
      schemes[others[i]] = nil
      redis.call('HDEL', registry, 's' .. others[i])
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
  redis.call('HSET', registry, 'schemes', cmsgpack.pack(schemes), 'version', token)
end

local dependencies = {}
for i = 3, LAST_STAMP do
  dependencies[i - 2] = string.sub(KEYS[i], prefixLength + 1)
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
    local record = decode(packed)
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
  redis.call('HSET', registry, 's' .. id, cmsgpack.pack({ u = clock, b = still }))
end
redis.call('PEXPIRE', registry, registryTtl)

local quarantine = redis.call('HGET', registry, 'quarantine')
if quarantine then
  return { 'quarantine', quarantine }
end
if #refusal > 1 then
  return refusal
end

local answer, keys = { 'granted' }, {}
for i = 2, LAST_STAMP do
  keys[i - 1] = KEYS[i]
end
chunked(keys, function(first, ...)
  for i, stamp in ipairs(redis.call('MGET', ...)) do
    answer[first + i] = stamp
  end
end)

-- One of another epoch would never validate.
if answer[2] and string.sub(answer[2], 1, #epoch) ~= epoch then
  answer[2] = false
end
local made = {}
local trail = LAST_STAMP
for i = 2, LAST_STAMP do
  local key, trailKey = KEYS[i], nil
  if i > 2 and ARGV[FIRST + 3 * (i - 3) + 2] == 'counts' then
    trail = trail + 1
    trailKey = KEYS[trail]
    if answer[i] and string.sub(answer[i], -DIGITS - 1, -DIGITS - 1) ~= ':' then
      answer[i] = false
    end
  end
  if made[key] then
    answer[i] = made[key]
  elseif not answer[i] then
    answer[i] = i == 2 and epoch .. '.' .. token or token .. '.' .. i
    if trailKey then
      answer[i] = answer[i] .. ':' .. string.rep('0', DIGITS)
      redis.call('DEL', trailKey) -- of a stamp that is lost
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
