export const registry = /* lua */ `
-- The registry of one table. This text precedes each script. A registry is a hash with the fields
--
--   epoch        of the server when the registry was created
--   quarantine   a nonce, while the writers that the previous registry knew may still be in flight
--   version      changes with the schemes
--   clock        counts leases, to find the least recently used schemes
--   schemes      the version again, and all schemes: { v = version, s = { id -> definition } }
--   s<scheme>    the writers that were in flight when the scheme was registered ("blind" writers); '' if there are none
--   u<scheme>    when the scheme was last used, by the clock
--   w<writer>    a writer in flight: { x = xid, t = time in milliseconds, a = touches everything, d = dependencies }
--   d<dep>       the writers in flight that touch this dependency
--   everything   the writers in flight that touch everything
--
-- It is one key, so that it is lost as a whole or not at all. A registry with content that these scripts do not write
-- is treated as lost: see attempt().

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

-- The error that a damaged registry raises.
local ODD = {}

local function check(condition)
  if not condition then
    error(ODD)
  end
end

local function unpacked(packed)
  local ok, value, another = pcall(cmsgpack.unpack, packed)
  check(ok and type(value) == 'table' and another == nil)
  return value
end

local function checkNames(list)
  local count = 0
  for _, name in pairs(list) do
    check(type(name) == 'string')
    count = count + 1
  end
  check(count == #list)
end

-- A list of names.
local function decode(packed)
  if not packed or packed == '' then
    return {}
  end
  local list = unpacked(packed)
  checkNames(list)
  return list
end

local LATEST = 1e15 -- in milliseconds: the year 33658

-- The record of a writer in flight.
local function decodeWriter(packed)
  local record = unpacked(packed)
  check(type(record.x) == 'string')
  check(type(record.t) == 'number' and record.t >= 0 and record.t < LATEST)
  check(type(record.d) == 'table' and (record.a == nil or type(record.a) == 'boolean'))
  checkNames(record.d)
  return record
end

-- An empty list is '', so that it needs no unpacking.
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

local TOKEN = '^' .. string.rep('[%w_-]', 16)

-- A versioned stamp is a token, a colon and this number of digits (see lib/store/counted.ts).
local DIGITS, MOST_COUNTED = 10, 9999999999

-- The forms of stamps. A value of another form is not a stamp, because it may not be unique.
local function isCounted(stamp)
  return type(stamp) == 'string' and #stamp < 100 and string.match(stamp, TOKEN .. '%.%d+:' .. string.rep('%d', DIGITS) .. '$')
end

local function isPlain(stamp)
  return type(stamp) == 'string' and #stamp < 100 and string.match(stamp, TOKEN .. '%.%d+$')
end

local function isOfTable(stamp, epoch)
  return type(stamp) == 'string' and #stamp < 100 and string.sub(stamp, 1, #epoch + 1) == epoch .. '.'
    and string.match(string.sub(stamp, #epoch + 2), TOKEN .. '$')
end

-- The list without a value; nil if it becomes empty.
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

local function versionOfSchemes()
  local version = redis.call('HGET', registry, 'version')
  check(version)
  return version
end

-- All schemes, by their ids.
local function fetchSchemes()
  local packed = redis.call('HGET', registry, 'schemes')
  check(packed)
  local known = unpacked(packed)
  check(known.v == versionOfSchemes() and type(known.s) == 'table')
  for id, definition in pairs(known.s) do
    check(type(id) == 'string' and type(definition) == 'string')
  end
  return known.s
end

local function storeSchemes(schemes, version)
  redis.call('HSET', registry, 'schemes', cmsgpack.pack({ v = version, s = schemes }), 'version', version)
end

-- The version of the schemes, then the definition of each.
local function knownSchemes()
  local list = { versionOfSchemes() }
  for _, definition in pairs(fetchSchemes()) do
    list[#list + 1] = definition
  end
  return list
end

-- Replaces the registry. Deletes the table's stamp, because writers will no longer delete the stamps of the schemes
-- that were registered.
local function renew(tableStamp, epoch, nonce)
  redis.call('DEL', tableStamp, registry)
  redis.call('HSET', registry, 'epoch', epoch, 'quarantine', nonce)
  storeSchemes({}, nonce)
end

-- Creates the registry if it is missing, or replaces one of another epoch. If the client is not sure of its epoch, the
-- client's may be the outdated one: then nothing is done, and the result is false.
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

-- A caught error, as the reply of a script. It begins with its code, because clients look at that.
local function failed(caught)
  local text = type(caught) == 'table' and caught.err or tostring(caught)
  return { err = (string.gsub(text, '^@?user_script: ?%d+: ?', '')) }
end

-- Runs a script. If it finds the registry damaged, the registry is replaced, which covers everything that the script
-- has done so far, and the script runs again.
local function attempt(main, tableStamp, epoch, nonce)
  local ok, answer = pcall(main)
  if not ok and answer == ODD then
    renew(tableStamp, epoch, nonce)
    return main()
  end
  return ok and answer or failed(answer)
end
`;
