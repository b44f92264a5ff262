-- What the verbs share that keep to a rate; read after the prelude.
--
-- The generic cell rate algorithm (ITU-T I.371, annex A): a limit is the time, in microseconds, at which the next cell would
-- arrive if all came evenly. A burst may be so many cells ahead of it. What is past needs not be kept.
local arrivals, counted = {}, {}

-- The earliest time, in ms, at which one more conforms.
local function conforms_at(limit, per_second, burst)
  arrivals[limit] = math.max(arrivals[limit] or tonumber(redis.call('GET', limit) or '') or 0, now * 1000)
  return math.max(now, math.ceil((arrivals[limit] - 1e6 / per_second * (burst - 1)) / 1000))
end

local function count(limit, per_second)
  arrivals[limit], counted[limit] = arrivals[limit] + 1e6 / per_second, true
end

local function save_limits()
  for limit in pairs(counted) do
    local arrival = arrivals[limit]
    redis.call('SET', limit, string.format('%.0f', arrival), 'PX', math.max(1, math.ceil(arrival / 1000) - now))
  end
end

local function namespace_of(name)
  return string.match(name, '^[^/]*')
end
