-- take: lease those of the named Revisions that are due and that the rate limits let through.
-- ARGV: lease (ms), the holder, 1 where this is a trial, reports a second of all namespaces and their burst, those of one
--       namespace and their burst, max_age, how long a request waits after it was last heard of (ms), then the
--       names.
-- Returns: now, the token, how many were delayed by each limit ({namespace, all}), the suspects ({name, crashes, ...}), then
--          for each Revision taken: name, calls, waiting, requests known to wait, first call, last call, due_at, attempts,
--          first report or '', last report or '', concurrency of the last report, when a request was last known to wait or '',
--          how to report it or '', the first call of the waking that is open or '', the callers as JSON, then how it is kept warm:
--          since when, until when, and with how many pods, 0 each where it isn't; the id of its wake-up, and trace contexts as JSON.
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
local taken = {now, token, delayed, suspects}

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

local function lease_out(name, key, due_at)
  redis.call('ZREM', PENDING, name)
  redis.call('ZADD', LEASED, now + lease, name)
  local attempts = redis.call('HINCRBY', key, 'attempts', 1)
  local state = redis.call('HMGET', key, 'calls', 'waiting', 'first_call', 'last_call', 'first_report', 'last_report',
    'concurrency', 'callers', 'last_wait', 'style', 'waking_since', 'keeps', 'wakeup', 'traces')
  local calls, waiting, last_call = state[1], state[2], state[4]
  local known = state[9] and redis.call('ZCOUNT', waiting_key(name), '(' .. now - waits_for, '+inf') or 0
  local first_call = state[3] or last_call
  local kept_since, kept_until, pods = kept(state[12])
  -- A front of the version before makes none.
  local wakeup = state[13] or new_wakeup(token, name)
  redis.call('HDEL', key, 'due_at', 'passed', 'first_call', 'callers', 'taken_first_call', 'taken_callers', 'traces', 'taken_traces')
  redis.call('HSET', key, 'taken', calls, 'calls', 0, 'token', token, 'holder', holder, 'wakeup', wakeup)
  if state[3] then
    redis.call('HSET', key, 'taken_first_call', first_call, 'taken_callers', state[8] or '{}')
  end
  if state[14] then
    redis.call('HSET', key, 'taken_traces', state[14])
  end
  for _, value in ipairs({
    name, calls, waiting, known, first_call, last_call, due_at, attempts, state[5] or '', state[6] or '', state[7] or '0',
    state[9] or '', state[10] or '', state[11] or '', state[3] and state[8] or '{}', kept_since, kept_until, pods,
    wakeup, state[14] or '[]',
  }) do
    taken[#taken + 1] = value
  end
end

for i = 10, #ARGV do
  local name = ARGV[i]
  local key = revision_key(name)
  local state = redis.call('HMGET', key, 'due_at', 'crashes', 'passed', 'last_call', 'keeps')
  local due_at, crashes = tonumber(state[1] or ''), tonumber(state[2] or '') or 0
  if due_at and due_at <= now then
    if crashes > 0 and not trial then
      suspects[#suspects + 1] = name
      suspects[#suspects + 1] = crashes
    else
      local passed = now - due_at <= SLOT_LASTS and tonumber(state[3] or '') or 0
      local at = now
      if state[5] or now - (tonumber(state[4] or '') or 0) <= tonumber(ARGV[8]) then
        at, passed = slot(name, passed)
      end
      if at > now then
        delayed[passed] = delayed[passed] + 1
        redis.call('HSET', key, 'ready_at', at, 'passed', passed)
        pend(name, at, at)
      else
        lease_out(name, key, due_at)
      end
    end
  end
end

save_limits()
if trial and #taken > 4 then
  redis.call('SET', PREFIX .. 'trial:' .. holder, token, 'PX', 2 * lease)
end
return taken
