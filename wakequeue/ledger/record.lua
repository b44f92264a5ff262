-- record: the calls of one commit, all or none, once only.
-- ARGV: the front's stream of commits, the commit's number in it, queue, ring_below, ring_again, idle_after (ms), then for
--       each Revision: name, calls, waiting, age of the first call, age of the last call (ms). waiting is -1 where it was
--       found awake.
-- Returns: now, then for each Revision: 1 where it is due and its doorbell is the caller's to ring, first report or '', last
--          report or ''.
local stream, commit = PREFIX .. 'front:' .. ARGV[1], tonumber(ARGV[2])
local may_ring = redis.call('LLEN', ARGV[3]) < tonumber(ARGV[4])
local ring_again, idle_after = tonumber(ARGV[5]), tonumber(ARGV[6])
local fresh = (tonumber(redis.call('GET', stream) or '') or 0) < commit
local replies, recorded = {now}, 0

for i = 7, #ARGV, 5 do
  local name, calls, waiting = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local first_call, last_call = now - ARGV[i + 3], now - ARGV[i + 4]
  local key = revision_key(name)
  local state = redis.call('HMGET', key, 'last_call', 'ready_at', 'due_at', 'first_report', 'last_report', 'first_call')
  local pending_since = tonumber(state[3] or '')
  local ring = not fresh and pending_since and pending_since <= now
  if fresh then
    recorded = recorded + calls
    if not state[1] and waiting < 0 and last_call + idle_after > now then
      -- Only an absent Redis let a Revision be forgotten that the front knows to be awake: it goes on being awake.
      state[4], state[5] = '0', '0'
      redis.call('HSET', key, 'first_report', 0, 'last_report', 0)
    end
    redis.call('HINCRBY', key, 'calls', calls)  -- first, because a full Redis refuses this one and not the next
    redis.call('PERSIST', key)
    redis.call('HINCRBY', key, 'waiting', math.max(waiting, 0))
    redis.call('HSET', key, 'first_call', math.min(first_call, tonumber(state[6] or '') or first_call),
      'last_call', math.max(last_call, tonumber(state[1] or '') or 0))
    local due_at = math.max(now, tonumber(state[2] or '') or 0)
    if due_at < (pending_since or math.huge) and not redis.call('ZSCORE', LEASED, name) then
      ring = due_at <= now and may_ring
      pend(name, due_at, ring and now + ring_again or due_at)
    end
  end
  replies[#replies + 1] = ring and 1 or 0
  replies[#replies + 1] = state[4] or ''
  replies[#replies + 1] = state[5] or ''
end

if fresh then
  redis.call('HINCRBY', TOTALS, 'recorded', recorded)
  redis.call('SET', stream, commit, 'PX', 3600000)
end
return replies
