-- What the verbs share that start wake-ups which no call made; read after the prelude and the letters.
local PLANNED, PLANS = PREFIX .. 'planned', PREFIX .. 'plans'

-- Keep a Revision warm, with so many pods, until a time. Returns whether that is longer than before.
local function keep(key, until_, pods)
  local keeps, count = cjson.decode(redis.call('HGET', key, 'keeps') or '{}'), tostring(pods)
  for other, one in pairs(keeps) do
    keeps[other] = one[2] > now and one or nil
  end
  local had = keeps[count] and keeps[count][2] or now
  if until_ > had then
    keeps[count] = {now, until_}
    redis.call('HSET', key, 'keeps', cjson.encode(keeps))
  end
  return until_ > had
end

-- Record one call, by `start.cause`, of a Revision that is kept warm until a time, should that come. Returns whether it is due by it.
local function start_now(name, start, kept_until, idle_after, ring_at)
  local key = revision_key(name)
  local state = redis.call('HMGET', key, 'last_call', 'ready_at', 'due_at')
  if is_asleep(name, state[1], state[2], state[3], idle_after) then
    redis.call('DEL', key)
    state = {}
  end
  if not keep(key, kept_until, start.pods) and start.only_asleep and state[1] then
    return false
  end
  add_calls(key, 1, now, now, cjson.encode({[start.cause] = 1}))
  redis.call('HINCRBY', key, 'waiting', 0)
  redis.call('HINCRBY', TOTALS, 'recorded', 1)
  local due_at = math.max(now, tonumber(state[2] or '') or 0)
  if due_at < (tonumber(state[3] or '') or math.huge) and not redis.call('ZSCORE', LEASED, name) then
    pend(name, due_at, due_at <= now and ring_at or due_at)
    return due_at <= now
  end
  return false
end

-- What should have started too long ago is a dead letter from the first.
local function miss(name, start, at, keep_history)
  local letter, callers = name .. '@' .. redis.call('HINCRBY', TOTALS, 'token', 1), cjson.encode({[start.cause] = 1})
  redis.call('HINCRBY', TOTALS, 'recorded', 1)
  redis.call('HINCRBY', TOTALS, 'buried', 1)
  redis.call('ZADD', BURIED, now, letter)
  redis.call('HSET', DEAD, letter, cjson.encode({
    revision = name, reason = 'expired', calls = 1, buried_at = now, attempts = 0, first_call = at, last_call = at,
    tries = '[]', callers = callers,
  }))
  redis.call('XADD', HISTORY, 'MAXLEN', '~', keep_history, '*', 'revision', name, 'outcome', 'buried', 'reason', 'expired',
    'at', now, 'first_call', at, 'last_call', at, 'attempts', 0, 'worker', '', 'phase', '', 'concurrency', 0, 'calls', 1,
    'tries', '[]', 'callers', callers)
end

-- Make a start whose time has come. Returns whether its Revision is due by it.
local function begin(name, start, at, times)
  if now - at > times.make_up then
    miss(name, start, at, times.keep_history)
    return false
  end
  return start_now(name, start, start.keep_for > 0 and at + start.keep_for or 0, times.idle_after, times.ring_at)
end

-- Make the starts that are planned, and whose time has come; at most so many.
local function begin_planned(most, times)
  for _, plan in ipairs(redis.call('ZRANGEBYSCORE', PLANNED, '-inf', now, 'LIMIT', 0, most)) do
    local content = redis.call('HGET', PLANS, plan)
    redis.call('ZREM', PLANNED, plan)
    redis.call('HDEL', PLANS, plan)
    if content then
      local name, at = string.match(plan, '^(%S+) (%d+)$')
      begin(name, cjson.decode(content), tonumber(at), times)
    end
  end
end
