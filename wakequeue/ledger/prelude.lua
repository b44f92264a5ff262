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

-- What a Revision's key says, field -> text, to be changed; and the same as Redis says it, for `write`.
local function read(key)
  local state, had = {}, redis.call('HGETALL', key)
  for i = 1, #had, 2 do
    state[had[i]] = had[i + 1]
  end
  return state, had
end

-- Have a Revision's key say what it did not say when it was read, and no more what the state does not; from then on it lasts for so
-- long (ms), if at all. That uses up the state.
local function write(key, state, had, lasts)
  local said, unsaid = {}, {}
  for i = 1, #had, 2 do
    local field, value = had[i], state[had[i]]
    if value == nil then
      unsaid[#unsaid + 1] = field
    elseif value ~= had[i + 1] then
      said[#said + 1] = field
      said[#said + 1] = value
    end
    state[field] = nil
  end
  for field, value in pairs(state) do
    said[#said + 1] = field
    said[#said + 1] = value
  end
  if #said > 0 then
    redis.call('HSET', key, unpack(said))
  end
  if #unsaid > 0 then
    redis.call('HDEL', key, unpack(unsaid))
  end
  if lasts then
    redis.call('PEXPIRE', key, lasts)
  end
end

local function number(text)
  return tonumber(text) or 0
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
  if not had or not came then
    return had or came
  end
  local traces = cjson.decode(had)
  for _, trace in ipairs(cjson.decode(came)) do
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

-- Until when a worker has the Revision, 0 where none has: who is leased is at an attempt, and not pending, which saves most a look.
local function leased_until(name, state)
  return not state.due_at and number(state.attempts) > 0 and number(redis.call('ZSCORE', LEASED, name)) or 0
end

-- Whether a Revision should be forgotten by now: its key expires by Redis's clock, which may have been set back.
local function is_asleep(name, state, idle_after)
  local until_ = math.max((tonumber(state.last_call) or now) + idle_after, number(state.ready_at))
  return not state.due_at and until_ < now and leased_until(name, state) == 0
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

-- Who leaves PENDING or LEASED and who joins it, all at once at the end of a verb.
local leaving, joining = {[PENDING] = {}, [LEASED] = {}}, {[PENDING] = {}, [LEASED] = {}}

local function leave(set, name)
  local names = leaving[set]
  names[#names + 1] = name
end

local function join(set, score, name)
  local scores = joining[set]
  scores[#scores + 1] = score
  scores[#scores + 1] = name
end

-- Lua passes some thousands of arguments on, and no more.
local function call_in_parts(command, set, arguments)
  for i = 1, #arguments, 1000 do
    redis.call(command, set, unpack(arguments, i, math.min(i + 999, #arguments)))
  end
end

local function save_moves()
  for _, set in ipairs({PENDING, LEASED}) do
    call_in_parts('ZREM', set, leaving[set])
    call_in_parts('ZADD', set, joining[set])
    leaving[set], joining[set] = {}, {}
  end
end

-- Make a Revision pending: takeable from due_at on, with its doorbell rung at ring_at.
local function pend(name, state, due_at, ring_at)
  state.due_at = due_at
  join(PENDING, ring_at, name)
end

-- Whether a Revision that is asked for is to be pending by that: it is neither leased nor due before this time.
local function is_sooner(name, state, due_at)
  return due_at < (tonumber(state.due_at) or math.huge) and leased_until(name, state) == 0
end

-- Make a Revision pending that may have rested until now: it isn't forgotten before it is reported.
local function pend_called(name, state, due_at, ring_at)
  if not state.due_at then
    redis.call('PERSIST', revision_key(name))
  end
  pend(name, state, due_at, ring_at)
end

-- Add calls to a Revision that no report names yet.
local function add_calls(state, calls, first_call, last_call, callers)
  state.calls = number(state.calls) + calls
  state.first_call = math.min(first_call, tonumber(state.first_call) or first_call)
  state.last_call = math.max(last_call, number(state.last_call))
  state.callers = add_callers(state.callers, callers)
end

-- Remember why an attempt to report a Revision failed.
local function add_try(state, cause)
  local tries = cjson.decode(state.tries or '[]')
  tries[#tries + 1] = {now, cause}
  if #tries > MOST_TRIES then
    table.remove(tries, 1)
  end
  state.tries = cjson.encode(tries)
end

-- Since when a Revision waits to be reported: what is rung by that comes in the order of its age.
local function waits_since(state)
  return number(state.first_call or state.last_call)
end

-- Give what was taken back to the Revision, which is pending again. What is due at once may be rung by its age.
local function give_back(name, state, due_at, cause, by_age)
  leave(LEASED, name)
  add_try(state, cause)
  local calls, first_call = number(state.taken), tonumber(state.taken_first_call)
  if first_call then
    add_calls(state, calls, first_call, number(state.last_call), state.taken_callers)
  end
  state.traces, state.taken_traces = join_traces(state.taken_traces, state.traces), nil
  state.taken, state.ready_at = '0', due_at
  pend(name, state, due_at, by_age and due_at <= now and waits_since(state) or due_at)
end

-- The holder of a lease lives: its Revision is a suspect no more, and the trial that it was on is over.
local function acquit(state)
  if number(state.crashes) > 0 then
    state.crashes = '0'
    local trial = PREFIX .. 'trial:' .. (state.holder or '')
    if redis.call('GET', trial) == state.token then
      redis.call('DEL', trial)
    end
  end
end

-- A lease has done its work: calls that came since are pending, else a repeat is, else there is nothing to report, and the
-- Revision is forgotten idle_after its last call, though not before it may be reported again. Returns for how long it lasts then.
local function go_on(name, state, idle_after, repeat_at)
  local ready_at = number(state.ready_at)
  leave(LEASED, name)
  state.taken, state.attempts, state.tries, state.taken_callers, state.taken_traces = '0', '0', nil, nil, nil
  if number(state.calls) > 0 then
    local due_at = math.max(now, ready_at)
    pend(name, state, due_at, due_at)
  elseif repeat_at then
    pend(name, state, repeat_at, repeat_at)
  else
    return math.max(number(state.last_call) + idle_after, ready_at) - now
  end
end

-- Whether the lease that carries this token is the Revision's, and still runs. Whoever comes with the last token that there was
-- holds or held that lease, and lives.
local function holds(name, state, token)
  if state.token ~= token then
    return false
  end
  acquit(state)
  return leased_until(name, state) > now
end

-- Write into the audit trail, of which the newest `keep` entries stay; further fields are of the entry's own kind.
local function write_entry(name, keep, outcome, reason, first_call, last_call, attempts, worker, ...)
  redis.call('XADD', HISTORY, 'MAXLEN', '~', keep, '*', 'revision', name, 'outcome', outcome, 'reason', reason, 'at', now,
    'first_call', first_call, 'last_call', last_call, 'attempts', attempts, 'worker', worker, ...)
end

-- Write of what is leased into the audit trail.
local function tell(name, state, keep, outcome, reason, first_call, ...)
  write_entry(name, keep, outcome, reason, first_call, state.last_call or 0, state.attempts or 0, state.holder or '',
    'wakeup', state.wakeup or '', ...)
end

-- Tell what became of what was taken.
local function remember(name, state, keep, outcome, reason, phase, concurrency)
  tell(name, state, keep, outcome, reason, state.taken_first_call or '', 'phase', phase, 'concurrency', concurrency,
    'calls', state.taken or 0, 'tries', state.tries or '[]', 'callers', state.taken_callers or '{}')
end
