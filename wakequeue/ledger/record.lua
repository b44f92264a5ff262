-- record: the calls of one commit, all or none, once only.
-- ARGV: the front's stream of commits, the commit's number in it, queue, ring_below, ring_again, idle_after (ms), reports a
--       second of one namespace and their burst, report_every and patience (ms), and the Revisions as MessagePack: of each its
--       name, calls, waiting, age of the first call, age of the last call (ms), its callers as JSON, the requests that wait
--       (id -> {caller, age (ms)}), how to report it (style), trace contexts as JSON. What there isn't is left out. waiting is -1
--       where it was found awake.
-- Returns: now, then for each Revision: 1 where it is due and its doorbell is the caller's to ring, first report or '', last
--          report or '', when a request was last known to wait or '', the id of its wake-up, and 1 where that begins with this
--          commit.
local stream, commit = PREFIX .. 'front:' .. ARGV[1], tonumber(ARGV[2])
local may_ring = redis.call('LLEN', ARGV[3]) < tonumber(ARGV[4])
local ring_again, idle_after = tonumber(ARGV[5]), tonumber(ARGV[6])
local report_every, patience = tonumber(ARGV[9]), tonumber(ARGV[10])
local fresh = (tonumber(redis.call('GET', stream) or '') or 0) < commit
local replies, recorded = {now}, 0

-- Whether this commit may ring for a Revision's namespace: only so often a second, and only while its rate limit has room, or a
-- busy namespace would fill the queue with doorbells of few Revisions each, and keep the others waiting behind them. The sweep
-- rings for many at once.
local RINGS_A_SECOND, RINGS_AT_ONCE = 200, 50
local rings = {}

local function may_ring_for(namespace)
  if rings[namespace] == nil then
    local limit = PREFIX .. 'ring:' .. namespace
    rings[namespace] = may_ring and conforms_at(limit, RINGS_A_SECOND, RINGS_AT_ONCE) <= now
      and conforms_at(PREFIX .. 'rate:' .. namespace, tonumber(ARGV[7]), tonumber(ARGV[8])) <= now
    if rings[namespace] then
      count(limit, RINGS_A_SECOND)
    end
  end
  return rings[namespace]
end

-- Note which requests wait for a Revision. Returns how many of them are new, and who made those (JSON). One whose caller is empty
-- is counted already. What is told late is known for a while all the same: other fronts may have it to tell.
local function note_waiting(name, requests)
  local key, new, callers = waiting_key(name), 0, {}
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - patience)
  for request, told in pairs(requests) do
    local caller, at = told[1], math.max(now - told[2], now - patience + report_every)
    if caller ~= '' and not redis.call('ZSCORE', key, request) then
      new = new + 1
      callers[caller] = (callers[caller] or 0) + 1
    end
    redis.call('ZADD', key, 'GT', at, request)
  end
  redis.call('PEXPIRE', key, patience)
  return new, new > 0 and cjson.encode(callers) or nil
end

for _, one in ipairs(cmsgpack.unpack(ARGV[11])) do
  local name, calls, waiting, callers, requests = one.name, one.calls, one.waiting, one.callers, one.requests
  local first_call, last_call = now - one.first_age, now - one.last_age
  local key = revision_key(name)
  local state, had = read(key)
  if is_asleep(name, state, idle_after) then
    redis.call('DEL', key)
    state, had = {}, {}
  end
  local made = not (fresh and state.wakeup) and new_wakeup(ARGV[1], ARGV[2], name)
  state.wakeup = state.wakeup or made
  local begins = state.wakeup == made
  local ring = not fresh and state.due_at and tonumber(state.due_at) <= now
  if fresh then
    if not state.last_call and waiting < 0 and last_call + idle_after > now then
      -- Only an absent Redis let a Revision be forgotten that the front knows to be awake: it goes on being awake.
      state.first_report, state.last_report = '0', '0'
    end
    -- A request that goes on waiting is told of at the next report, and is no correction of the first.
    local ready_at = math.max(number(state.ready_at), number(state.last_report) + report_every)
    if requests then
      local new, new_callers = note_waiting(name, requests)
      calls, callers = calls + new, add_callers(callers, new_callers)
      state.last_wait = math.max(number(state.last_wait), last_call)
    end
    if calls > 0 then
      ready_at = number(state.ready_at)
      add_calls(state, calls, first_call, last_call, callers)
    else
      state.calls, state.last_call = state.calls or 0, math.max(last_call, number(state.last_call))
    end
    recorded = recorded + calls
    state.waiting = number(state.waiting) + math.max(waiting, 0)
    state.style = one.style or state.style
    state.traces = join_traces(state.traces, one.traces)
    local due_at = math.max(now, ready_at)
    if is_sooner(name, state, due_at) then
      ring = due_at <= now and may_ring_for(namespace_of(name))
      pend_called(name, state, due_at, ring and now + ring_again or due_at)
    end
  end
  replies[#replies + 1] = ring and 1 or 0
  replies[#replies + 1] = state.first_report or ''
  replies[#replies + 1] = state.last_report or ''
  replies[#replies + 1] = state.last_wait or ''
  replies[#replies + 1] = state.wakeup
  replies[#replies + 1] = begins and 1 or 0
  if fresh then
    write(key, state, had)
  end
end

if fresh then
  redis.call('HINCRBY', TOTALS, 'recorded', recorded)
  redis.call('SET', stream, commit, 'PX', 86400000)
  save_limits()
end
return replies
