-- What every verb begins with: the keys (see wakequeue/ledger/__init__.py), the clock, and the moves that verbs share.
local PREFIX = '{wakequeue}:'
local PENDING, LEASED, TOTALS = PREFIX .. 'pending', PREFIX .. 'leased', PREFIX .. 'totals'
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function revision_key(name)
  return PREFIX .. 'r:' .. name
end

local function number(key, field)
  return tonumber(redis.call('HGET', key, field) or '') or 0
end

-- Make a Revision pending: takeable from due_at on, with its doorbell rung at ring_at.
local function pend(name, due_at, ring_at)
  redis.call('HSET', revision_key(name), 'due_at', due_at)
  redis.call('ZADD', PENDING, ring_at, name)
end

-- Give what was taken back to the Revision, which is pending again.
local function give_back(name, due_at)
  local key = revision_key(name)
  redis.call('ZREM', LEASED, name)
  redis.call('HINCRBY', key, 'calls', number(key, 'taken'))
  local taken_first, first = redis.call('HGET', key, 'taken_first_call'), redis.call('HGET', key, 'first_call')
  if taken_first and not (first and tonumber(first) < tonumber(taken_first)) then
    redis.call('HSET', key, 'first_call', taken_first)
  end
  redis.call('HSET', key, 'taken', 0, 'ready_at', due_at)
  pend(name, due_at, due_at)
end

-- A lease has done its work: calls that came since are pending, else a repeat is, else there is nothing to report, and the
-- Revision is forgotten idle_after its last call, though not before it may be reported again.
local function go_on(name, idle_after, repeat_at)
  local key = revision_key(name)
  local ready_at = number(key, 'ready_at')
  if number(key, 'calls') > 0 then
    local due_at = math.max(now, ready_at)
    pend(name, due_at, due_at)
  elseif repeat_at then
    pend(name, repeat_at, repeat_at)
  else
    redis.call('PEXPIREAT', key, math.max(number(key, 'last_call') + idle_after, ready_at))
  end
end

-- Whether the lease that carries this token is the Revision's, and still runs.
local function holds(name, token)
  local until_ = redis.call('ZSCORE', LEASED, name)
  return until_ and tonumber(until_) > now and redis.call('HGET', revision_key(name), 'token') == token
end
