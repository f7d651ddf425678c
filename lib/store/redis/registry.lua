-- What is known of one table, as the scripts share it (this stands before each of them). A hash, whose fields are
--
--   epoch        the server process, and its time as a master, that it was made in
--   quarantine   a nonce, while it is unknown which writers the registry before this one knew
--   version      another one whenever the schemes change
--   clock        counts leases, to tell which schemes were used last
--   schemes      all schemes: id -> definition
--   s<scheme>    the writers that were in flight when it was registered: "blind" ones; '' if there are none
--   u<scheme>    when it was used, by the clock
--   w<writer>    a writer in flight: { x = xid, t = time in milliseconds, a = touches everything, d = dependencies }
--   d<dep>       the writers in flight that touch this dependency
--   everything   the writers in flight that touch everything
--
-- It is one key, so that it is lost all together or not at all.

local registry = KEYS[1]

-- unpack() cannot return more than some thousand values
local CHUNK = 1000

local function chunked(list, call)
  for first = 1, #list, CHUNK do
    call(first, unpack(list, first, math.min(first + CHUNK - 1, #list)))
  end
end

local function fetch(fields)
  local values = {}
  chunked(fields, function(first, ...)
    for i, value in ipairs(redis.call('HMGET', registry, ...)) do
      values[first + i - 1] = value
    end
  end)
  return values
end

local function prefixed(prefix, names)
  local fields = {}
  for i, name in ipairs(names) do
    fields[i] = prefix .. name
  end
  return fields
end

local function decode(packed)
  return packed and packed ~= '' and cmsgpack.unpack(packed) or {}
end

-- An empty list takes up nothing, and can be told without being unpacked.
local function encode(list)
  return #list > 0 and cmsgpack.pack(list) or ''
end

local function contains(list, value)
  for _, other in ipairs(list) do
    if other == value then
      return true
    end
  end
  return false
end

-- A stamp that counts is a token, a colon and so many digits (see `lib/store/counted.ts`).
local DIGITS, MOST_COUNTED = 10, 9999999999

-- Without a value; an empty list is no list.
local function without(list, value)
  local rest = {}
  for _, other in ipairs(list) do
    if other ~= value then
      rest[#rest + 1] = other
    end
  end
  return #rest > 0 and rest or nil
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The version of the schemes, then the definition of each.
local function knownSchemes()
  local list = { redis.call('HGET', registry, 'version') or '' }
  for _, definition in pairs(decode(redis.call('HGET', registry, 'schemes'))) do
    list[#list + 1] = definition
  end
  return list
end

-- Makes the registry anew. The table's stamp goes, because nobody will delete the stamps of the schemes that were
-- registered.
local function renew(tableStamp, epoch, nonce)
  redis.call('DEL', tableStamp, registry)
  redis.call('HSET', registry, 'epoch', epoch, 'quarantine', nonce, 'version', nonce)
end

-- Makes the registry anew if there is none, or one of another epoch. In the latter case the client may be the one
-- that lags behind: unless it is sure, nothing is done, and false returned.
local function open(tableStamp, epoch, sure, nonce)
  local made = redis.pcall('HGET', registry, 'epoch')
  if type(made) == 'table' and made.err then
    if not string.find(made.err, 'WRONGTYPE', 1, true) then
      error(made.err)
    end
    made = false
  end
  if made and made ~= epoch and not sure then
    return false
  end
  if made ~= epoch then
    renew(tableStamp, epoch, nonce)
  end
  return true
end
