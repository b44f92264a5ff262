-- What every verb begins with: the keys (see wakequeue/ledger/__init__.py), the clock, and the moves that verbs share.
local PREFIX = '{wakequeue}:'
local PENDING, LEASED, TOTALS = PREFIX .. 'pending', PREFIX .. 'leased', PREFIX .. 'totals'
local HISTORY = PREFIX .. 'history'
local PLANNED, PLANS, SCHEDULES = PREFIX .. 'planned', PREFIX .. 'plans', PREFIX .. 'schedules'

-- A wake-up remembers so many callers by name, so many failed attempts, and so many trace contexts.
local MOST_CALLERS, MOST_TRIES, MOST_TRACES = 8, 10, 8

-- The ledger's clock is Redis's; should that be set back, it goes on from where a sweep last saw it.
local time = redis.call('TIME')
local redis_now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = redis.call('HMGET', TOTALS, 'clock', 'ahead')
local seen_now, ahead = tonumber(seen[1] or '') or 0, tonumber(seen[2] or '') or 0
local now = redis_now
if redis_now < seen_now then
  now = math.max(redis_now + ahead, seen_now)
end

local function revision_key(name)
  return PREFIX .. 'r:' .. name
end

-- The requests that are known to wait for a Revision: zset, id -> when that was last said.
local function waiting_key(name)
  return PREFIX .. 'w:' .. name
end

local function number(key, field)
  return tonumber(redis.call('HGET', key, field) or '') or 0
end

-- Two JSON objects of calls by caller as one; either may be missing.
local function add_callers(had, came)
  if not had or not came then
    return had or came or '{}'
  end
  local sum, callers = cjson.decode(had), 0
  for _ in pairs(sum) do
    callers = callers + 1
  end
  for caller, calls in pairs(cjson.decode(came)) do
    if not sum[caller] and callers >= MOST_CALLERS then
      caller = 'others'
    end
    callers = callers + (sum[caller] and 0 or 1)
    sum[caller] = (sum[caller] or 0) + calls
  end
  return cjson.encode(sum)
end

-- Two JSON lists of trace contexts as one, of which the first are kept; either may be missing.
local function join_traces(had, came)
  local traces = cjson.decode(had or '[]')
  for _, trace in ipairs(cjson.decode(came or '[]')) do
    if #traces < MOST_TRACES then
      traces[#traces + 1] = trace
    end
  end
  return cjson.encode(traces)
end

-- The id of a wake-up that begins, out of what is said of nothing else: 32 hex digits.
local function new_wakeup(...)
  return string.sub(redis.sha1hex(table.concat({...}, ' ')), 1, 32)
end

-- Whether a Revision should be forgotten by now: its key expires by Redis's clock, which may have been set back.
local function is_asleep(name, last_call, ready_at, due_at, idle_after)
  local until_ = math.max((tonumber(last_call or '') or now) + idle_after, tonumber(ready_at or '') or 0)
  return not due_at and until_ < now and not redis.call('ZSCORE', LEASED, name)
end

-- How a Revision is kept warm, by what its key says of that: since when by the newest word, until when at the latest, and with how
-- many pods; 0 each where it isn't.
local function kept(keeps)
  local since, until_, pods = 0, 0, 0
  for count, keep in pairs(keeps and cjson.decode(keeps) or {}) do
    if keep[2] > now then
      since, until_, pods = math.max(since, keep[1]), math.max(until_, keep[2]), math.max(pods, tonumber(count))
    end
  end
  return since, until_, pods
end

-- Make a Revision pending: takeable from due_at on, with its doorbell rung at ring_at.
local function pend(name, due_at, ring_at)
  redis.call('HSET', revision_key(name), 'due_at', due_at)
  redis.call('ZADD', PENDING, ring_at, name)
end

-- A Revision is asked for at a time: it isn't forgotten before it is reported.
local function keep_called(key, last_call)
  redis.call('PERSIST', key)
  redis.call('HSET', key, 'last_call', math.max(last_call, number(key, 'last_call')))
end

-- Add calls to a Revision that no report names yet.
local function add_calls(key, calls, first_call, last_call, callers)
  local state = redis.call('HMGET', key, 'first_call', 'callers')
  redis.call('HINCRBY', key, 'calls', calls)
  redis.call('HSET', key, 'first_call', math.min(first_call, tonumber(state[1] or '') or first_call),
    'callers', add_callers(state[2], callers))
  keep_called(key, last_call)
end

-- Remember why an attempt to report a Revision failed.
local function add_try(key, cause)
  local tries = cjson.decode(redis.call('HGET', key, 'tries') or '[]')
  tries[#tries + 1] = {now, cause}
  if #tries > MOST_TRIES then
    table.remove(tries, 1)
  end
  redis.call('HSET', key, 'tries', cjson.encode(tries))
end

-- Give what was taken back to the Revision, which is pending again.
local function give_back(name, due_at, cause)
  local key = revision_key(name)
  redis.call('ZREM', LEASED, name)
  add_try(key, cause)
  local calls, last_call = number(key, 'taken'), number(key, 'last_call')
  local first_call = tonumber(redis.call('HGET', key, 'taken_first_call') or '')
  if first_call then
    add_calls(key, calls, first_call, last_call, redis.call('HGET', key, 'taken_callers') or nil)
  end
  local traces = redis.call('HMGET', key, 'taken_traces', 'traces')
  if traces[1] then
    redis.call('HDEL', key, 'taken_traces')
    redis.call('HSET', key, 'traces', join_traces(traces[1], traces[2]))
  end
  redis.call('HSET', key, 'taken', 0, 'ready_at', due_at)
  pend(name, due_at, due_at)
end

-- The holder of a lease lives: its Revision is a suspect no more, and the trial that it was on is over.
local function acquit(key)
  if number(key, 'crashes') > 0 then
    redis.call('HSET', key, 'crashes', 0)
    local trial = PREFIX .. 'trial:' .. (redis.call('HGET', key, 'holder') or '')
    if redis.call('GET', trial) == redis.call('HGET', key, 'token') then
      redis.call('DEL', trial)
    end
  end
end

-- A lease has done its work: calls that came since are pending, else a repeat is, else there is nothing to report, and the
-- Revision is forgotten idle_after its last call, though not before it may be reported again.
local function go_on(name, idle_after, repeat_at)
  local key = revision_key(name)
  local ready_at = number(key, 'ready_at')
  redis.call('ZREM', LEASED, name)
  redis.call('HSET', key, 'taken', 0, 'attempts', 0)
  redis.call('HDEL', key, 'tries', 'taken_callers', 'taken_traces')
  if number(key, 'calls') > 0 then
    local due_at = math.max(now, ready_at)
    pend(name, due_at, due_at)
  elseif repeat_at then
    pend(name, repeat_at, repeat_at)
  else
    redis.call('PEXPIRE', key, math.max(number(key, 'last_call') + idle_after, ready_at) - now)
  end
end

-- Whether the lease that carries this token is the Revision's, and still runs. Whoever comes with the last token that there was
-- holds or held that lease, and lives.
local function holds(name, token)
  local key, until_ = revision_key(name), redis.call('ZSCORE', LEASED, name)
  if redis.call('HGET', key, 'token') ~= token then
    return false
  end
  acquit(key)
  return until_ and tonumber(until_) > now
end

-- Write into the audit trail, of which the newest `keep` entries stay; further fields are of the entry's own kind.
local function write_entry(name, keep, outcome, reason, first_call, last_call, attempts, worker, ...)
  redis.call('XADD', HISTORY, 'MAXLEN', '~', keep, '*', 'revision', name, 'outcome', outcome, 'reason', reason, 'at', now,
    'first_call', first_call, 'last_call', last_call, 'attempts', attempts, 'worker', worker, ...)
end

-- Write of what is leased into the audit trail.
local function tell(name, keep, outcome, reason, first_call, ...)
  local state = redis.call('HMGET', revision_key(name), 'last_call', 'attempts', 'holder', 'wakeup')
  write_entry(name, keep, outcome, reason, first_call, state[1] or 0, state[2] or 0, state[3] or '',
    'wakeup', state[4] or '', ...)
end

-- Tell what became of what was taken.
local function remember(name, keep, outcome, reason, phase, concurrency)
  local state = redis.call('HMGET', revision_key(name), 'taken', 'taken_first_call', 'tries', 'taken_callers')
  tell(name, keep, outcome, reason, state[2] or '', 'phase', phase, 'concurrency', concurrency, 'calls', state[1] or 0,
    'tries', state[3] or '[]', 'callers', state[4] or '{}')
end
