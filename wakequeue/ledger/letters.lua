-- What the verbs share that make, keep or take out dead letters; read after the prelude.
local BURIED, DEAD = PREFIX .. 'buried', PREFIX .. 'dead'

local function write_letter(name, id, reason, calls, first_call, last_call, attempts, tries, callers, wakeup)
  local letter = name .. '@' .. id
  redis.call('ZADD', BURIED, now, letter)
  redis.call('HSET', DEAD, letter, cjson.encode({
    revision = name, reason = reason, calls = calls, buried_at = now, attempts = attempts,
    first_call = first_call, last_call = last_call, tries = tries, callers = callers, wakeup = wakeup,
  }))
end

-- Write a dead letter of what is leased. Of a Revision that does not wake there is one, the newest: letters without calls, which it
-- may make by the hour, are not to push out those that have some.
local function add_letter(name, state, reason, calls, first_call, tries, callers)
  local id = reason == 'unwoken' and reason or state.token
  write_letter(name, id, reason, calls, first_call, number(state.last_call), number(state.attempts), tries, callers, state.wakeup)
end

-- What was taken will never be confirmed: it becomes a dead letter, with the reason. What would end a worker, or can't be said, is
-- kept warm no longer. Returns for how long its Revision lasts, if at all.
local function entomb(name, state, reason, idle_after, keep_history)
  local calls = number(state.taken)
  add_letter(name, state, reason, calls, tonumber(state.taken_first_call), state.tries or '[]', state.taken_callers or '{}')
  remember(name, state, keep_history, 'buried', reason, '', 0)
  state.waiting, state.crashes, state.waking_since = number(state.calls), '0', ''
  redis.call('HINCRBY', TOTALS, 'buried', calls)
  if reason ~= 'expired' then
    state.keeps = nil
  end
  local _, kept_until = kept(state.keeps)
  return go_on(name, state, idle_after, kept_until > 0 and math.max(now, number(state.ready_at)) or nil)
end

-- Take these dead letters out. Returns how many there were, and their calls, which are buried no more.
local function take_out(letters)
  local found, calls = 0, 0
  for _, letter in ipairs(letters) do
    local content = redis.call('HGET', DEAD, letter)
    if content then
      redis.call('HDEL', DEAD, letter)
      redis.call('ZREM', BURIED, letter)
      found, calls = found + 1, calls + cjson.decode(content).calls
    end
  end
  if calls > 0 then
    redis.call('HINCRBY', TOTALS, 'buried', -calls)
  end
  return found, calls
end

-- Drop these dead letters for good: their calls are discarded. Returns how many there were.
local function discard(letters)
  local found, calls = take_out(letters)
  if calls > 0 then
    redis.call('HINCRBY', TOTALS, 'discarded', calls)
  end
  return found
end

-- Drop the oldest dead letters: those beyond the newest `keep`, and those buried before `since`; at most 1,000 of each.
local function bound(keep, since)
  local most = math.min(redis.call('ZCARD', BURIED) - keep, 1000)
  for _, old in ipairs({
    redis.call('ZRANGEBYSCORE', BURIED, '-inf', '(' .. since, 'LIMIT', 0, 1000),
    most > 0 and redis.call('ZRANGE', BURIED, 0, most - 1) or {},
  }) do
    local found = discard(old)
    if found > 0 then
      redis.call('HINCRBY', TOTALS, 'letters_dropped', found)
    end
  end
end
