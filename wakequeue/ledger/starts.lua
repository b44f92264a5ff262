-- What the verbs share that start wake-ups which no call made; read after the prelude and the letters.
--
-- When they start goes by Redis's clock, not the ledger's, which may be ahead for good.

-- Keep a Revision warm, with so many pods, until a time. Returns whether that is longer than before, by a second at least: what is
-- said again takes its time.
local function keep(state, until_, pods)
  local keeps, count = cjson.decode(state.keeps or '{}'), tostring(pods)
  for other, one in pairs(keeps) do
    keeps[other] = one[2] > now and one or nil
  end
  local had = keeps[count] and keeps[count][2] or 0
  local longer = until_ > now and until_ >= had + 1000
  if longer then
    keeps[count] = {now, until_}
    state.keeps = cjson.encode(keeps)
  end
  return longer
end

-- Record one call, by `start.cause`, of a Revision that is kept warm until a time, should that come. Returns whether it did, and
-- whether the Revision is due by it.
local function start_now(name, start, kept_until, idle_after, ring_at)
  local key = revision_key(name)
  local state, had = read(key)
  if is_asleep(name, state, idle_after) then
    redis.call('DEL', key)
    state, had = {}, {}
  end
  if not keep(state, kept_until, start.pods) and start.only_asleep and state.last_call then
    return false, false
  end
  add_calls(state, 1, now, now, cjson.encode({[start.cause] = 1}))
  state.wakeup, state.waiting = state.wakeup or new_wakeup(start.cause, now, name), state.waiting or 0
  redis.call('HINCRBY', TOTALS, 'recorded', 1)
  local due_at = math.max(now, number(state.ready_at))
  local sooner = is_sooner(name, state, due_at)
  if sooner then
    pend_called(name, state, due_at, due_at <= now and ring_at or due_at)
  end
  write(key, state, had)
  return true, sooner and due_at <= now
end

-- What should have started too long ago is a dead letter from the first. It takes no other's place: where there are as many as are
-- kept, it is discarded.
local function miss(name, start, at, times)
  local callers, wakeup = cjson.encode({[start.cause] = 1}), new_wakeup(start.cause, at, name)
  redis.call('HINCRBY', TOTALS, 'recorded', 1)
  if redis.call('ZCARD', BURIED) < times.keep_letters then
    redis.call('HINCRBY', TOTALS, 'buried', 1)
    write_letter(name, redis.call('HINCRBY', TOTALS, 'token', 1), 'expired', 1, at, at, 0, '[]', callers, wakeup)
  else
    redis.call('HINCRBY', TOTALS, 'discarded', 1)
    redis.call('HINCRBY', TOTALS, 'letters_dropped', 1)
  end
  write_entry(name, times.keep_history, 'buried', 'expired', at, at, 0, '', 'phase', '', 'concurrency', 0, 'calls', 1,
    'tries', '[]', 'callers', callers, 'wakeup', wakeup)
end

-- Make a start whose time has come. Returns whether that is a call, and whether its Revision is due by it.
local function begin(name, start, at, times)
  local late = redis_now - at
  if late > times.make_up then
    miss(name, start, at, times)
    return false, false
  end
  local kept_until = start.keep_for > 0 and now - late + start.keep_for or 0
  return start_now(name, start, kept_until, times.idle_after, times.ring_at)
end

-- Make the starts that are planned, and whose time has come; at most so many. Returns how many of them came too late.
local function begin_planned(most, times)
  local missed = 0
  for _, plan in ipairs(redis.call('ZRANGEBYSCORE', PLANNED, '-inf', redis_now, 'LIMIT', 0, most)) do
    local content = redis.call('HGET', PLANS, plan)
    redis.call('ZREM', PLANNED, plan)
    redis.call('HDEL', PLANS, plan)
    if content then
      local name, at = string.match(plan, '^(%S+) (%d+) ')
      begin(name, cjson.decode(content), tonumber(at), times)
      missed = missed + (redis_now - tonumber(at) > times.make_up and 1 or 0)
    end
  end
  return missed
end
