export const trail = /* lua */ `
-- Returns the row deltas of a dependency since an entry was sealed.
--
-- KEYS: the dependency's stamp, its trail
-- ARGV: the stamp in the seal
--
-- Returns { stamp, delta, delta, … }: the present stamp and the deltas that led to it; or false if some are missing, or
-- if the stamp is not a later version of the one in the seal

local DIGITS = 10

local sealed = ARGV[1]
local stamp = redis.pcall('GET', KEYS[1])
local split = #sealed - DIGITS
if type(stamp) ~= 'string' or #stamp ~= #sealed or string.sub(stamp, 1, split) ~= string.sub(sealed, 1, split) then
  return false
end
local first, last = tonumber(string.sub(sealed, split + 1)), tonumber(string.sub(stamp, split + 1))
if not first or not last or last <= first or string.find(stamp, '%D', split + 1) then
  return false
end
local answer = { stamp }

local steps = redis.pcall('LRANGE', KEYS[2], first - last, -1)
if steps.err or #steps ~= last - first then
  return false
end
local token = string.sub(stamp, 1, split)
for i, step in ipairs(steps) do
  -- each item contains the stamp that it led to, so that gaps and items of other stamps are noticed
  if string.sub(step, 1, #stamp) ~= token .. string.format('%010.0f', first + i) then
    return false
  end
  local text = string.match(step, '^ %d+ (.*)$', #stamp + 1)
  if not text then
    return false
  end
  answer[i + 1] = text
end
return answer
`;
