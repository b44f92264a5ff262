-- take: lease those of the named Revisions that are due and that the rate limits let through.
-- ARGV: lease (ms), the holder, 1 where this is a trial, reports a second of all namespaces and their burst, those of one
--       namespace and their burst, max_age, how long a request waits after it was last heard of (ms), then the
--       names.
-- Returns: now, the token, how many were delayed by each limit ({namespace, all}), the suspects ({name, crashes, ...}), and the
--          Revisions taken, as MessagePack: see lease_out.
--
-- A suspect, whose lease ended with its holder, is taken in a trial only. A Revision that a limit delays is given a slot,
-- which is its own: it is due then, and passes that limit when it is taken within 2 s of it. What is older than max_age will be
-- buried, and needs none, unless it is kept warm.
local lease, holder, trial = tonumber(ARGV[1]), ARGV[2], ARGV[3] == '1'
local waits_for = tonumber(ARGV[9])
local SLOT_LASTS = 2000
-- Above all tokens before it, those too that a Redis gave which has failed over, and whose last ones were not replicated.
local token = math.max((tonumber(redis.call('HGET', TOTALS, 'token') or '') or 0) + 1, now)
redis.call('HSET', TOTALS, 'token', token)
local delayed, suspects = {0, 0}, {}
local leases = {}

-- The slot that a limit has for one more: it is reserved, and so the next one's is later.
local function reserve(limit, per_second, burst)
  local at = conforms_at(limit, per_second, burst)
  count(limit, per_second)
  return at
end

-- When a Revision may be reported, and which limits it will have passed by then; now, where that is now.
local function slot(name, passed)
  if passed < 1 then
    local at = reserve(PREFIX .. 'rate:' .. namespace_of(name), tonumber(ARGV[6]), tonumber(ARGV[7]))
    if at > now then
      return at, 1
    end
  end
  return passed < 2 and reserve(PREFIX .. 'rate', tonumber(ARGV[4]), tonumber(ARGV[5])) or now, 2
end

-- A time as a worker reads it: whole milliseconds, or none. For a fraction it would refuse all that was taken together.
local function whole(time)
  return tonumber(time) and math.floor(time)
end

local function lease_out(name, state)
  leave(PENDING, name)
  join(LEASED, now + lease, name)
  local due_at, callers = state.due_at, state.first_call and (state.callers or '{}')
  local known = state.last_wait and redis.call('ZCOUNT', waiting_key(name), '(' .. now - waits_for, '+inf')
  local kept_since, kept_until, pods = kept(state.keeps)
  state.taken, state.taken_first_call, state.taken_callers, state.taken_traces = state.calls, state.first_call, callers, state.traces
  state.calls, state.first_call, state.callers, state.traces, state.due_at, state.passed = '0', nil, nil, nil, nil, nil
  state.token, state.holder, state.attempts = token, holder, number(state.attempts) + 1
  -- A front of the version before makes none.
  state.wakeup = state.wakeup or new_wakeup(token, name)
  -- Without the times that there aren't, and what is nothing.
  leases[#leases + 1] = {
    name = name, due_at = whole(due_at), attempts = state.attempts, wakeup = state.wakeup, style = state.style,
    calls = number(state.taken), callers = callers, traces = state.taken_traces, waiting = number(state.waiting), known = known,
    first_call = whole(state.taken_first_call), last_call = whole(state.last_call) or 0, last_wait = whole(state.last_wait),
    first_report = whole(state.first_report), last_report = whole(state.last_report), waking_since = whole(state.waking_since),
    concurrency = tonumber(state.concurrency), kept_since = whole(kept_since), kept_until = whole(kept_until), pods = pods,
  }
end

for i = 10, #ARGV do
  local name = ARGV[i]
  local key = revision_key(name)
  local state, had = read(key)
  local due_at, crashes = tonumber(state.due_at), number(state.crashes)
  if due_at and due_at <= now then
    if crashes > 0 and not trial then
      suspects[#suspects + 1] = name
      suspects[#suspects + 1] = crashes
    else
      local passed = now - due_at <= SLOT_LASTS and number(state.passed) or 0
      local at = now
      if state.keeps or now - number(state.last_call) <= tonumber(ARGV[8]) then
        at, passed = slot(name, passed)
      end
      if at > now then
        delayed[passed] = delayed[passed] + 1
        state.ready_at, state.passed = at, passed
        pend(name, state, at, at)
      else
        lease_out(name, state)
      end
      write(key, state, had)
    end
  end
end
save_limits()
if trial and #leases > 0 then
  redis.call('SET', PREFIX .. 'trial:' .. holder, token, 'PX', 2 * lease)
end
return {now, token, delayed, suspects, cmsgpack.pack(leases)}
