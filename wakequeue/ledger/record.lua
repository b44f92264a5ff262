-- record: the calls of one commit, all or none, once only.
-- ARGV: the front's stream of commits, the commit's number in it, queue, ring_below, ring_again, idle_after (ms), reports a
--       second of one namespace and their burst, report_every and patience (ms), then for each Revision: name, calls, waiting,
--       age of the first call, age of the last call (ms), its callers as JSON, the requests that wait as JSON (id -> {caller,
--       age (ms)}) or '', how to report it or '', trace contexts as JSON or ''. waiting is -1 where it was found awake.
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
  for request, told in pairs(cjson.decode(requests)) do
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

for i = 11, #ARGV, 9 do
  local name, calls, waiting = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local callers, requests, style, traces = ARGV[i + 5], ARGV[i + 6], ARGV[i + 7], ARGV[i + 8]
  local first_call, last_call = now - ARGV[i + 3], now - ARGV[i + 4]
  local key = revision_key(name)
  local state = redis.call('HMGET', key, 'last_call', 'ready_at', 'due_at', 'first_report', 'last_report', 'last_wait',
    'wakeup')
  local pending_since = tonumber(state[3] or '')
  if is_asleep(name, state[1], state[2], state[3], idle_after) then
    redis.call('DEL', key)
    state = {}
  end
  local begins = new_wakeup(ARGV[1], ARGV[2], name)
  local wakeup = state[7] or begins
  local ring = not fresh and pending_since and pending_since <= now
  if fresh then
    if not state[1] and waiting < 0 and last_call + idle_after > now then
      -- Only an absent Redis let a Revision be forgotten that the front knows to be awake: it goes on being awake.
      state[4], state[5] = '0', '0'
      redis.call('HSET', key, 'first_report', 0, 'last_report', 0)
    end
    -- A request that goes on waiting is told of at the next report, and is no correction of the first.
    local ready_at = math.max(tonumber(state[2] or '') or 0, (tonumber(state[5] or '') or 0) + report_every)
    if requests ~= '' then
      local new, new_callers = note_waiting(name, requests)
      calls, callers = calls + new, add_callers(callers, new_callers)
      state[6] = math.max(tonumber(state[6] or '') or 0, last_call)
      redis.call('HSET', key, 'last_wait', state[6])
    end
    if calls > 0 then
      ready_at = tonumber(state[2] or '') or 0
      add_calls(key, calls, first_call, last_call, callers)
    else
      -- Of a Revision that was forgotten meanwhile there is nothing but this.
      redis.call('HINCRBY', key, 'calls', 0)
      keep_called(key, last_call)
    end
    recorded = recorded + calls
    if not state[7] then
      redis.call('HSET', key, 'wakeup', wakeup)
    end
    redis.call('HINCRBY', key, 'waiting', math.max(waiting, 0))
    if style ~= '' then
      redis.call('HSET', key, 'style', style)
    end
    if traces ~= '' then
      redis.call('HSET', key, 'traces', join_traces(redis.call('HGET', key, 'traces') or nil, traces))
    end
    local due_at = math.max(now, ready_at)
    if due_at < (pending_since or math.huge) and not redis.call('ZSCORE', LEASED, name) then
      ring = due_at <= now and may_ring_for(namespace_of(name))
      pend(name, due_at, ring and now + ring_again or due_at)
    end
  end
  replies[#replies + 1] = ring and 1 or 0
  replies[#replies + 1] = state[4] or ''
  replies[#replies + 1] = state[5] or ''
  replies[#replies + 1] = state[6] or ''
  replies[#replies + 1] = wakeup
  replies[#replies + 1] = wakeup == begins and 1 or 0
end

if fresh then
  redis.call('HINCRBY', TOTALS, 'recorded', recorded)
  redis.call('SET', stream, commit, 'PX', 86400000)
  save_limits()
end
return replies
