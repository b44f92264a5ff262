-- record: the calls of one commit, all or none, once only.
-- ARGV: commit id, ring_again (ms), then for each Revision: name, calls, waiting, age of the first call, age of the last call
--       (ms). waiting is -1 where the calls found the Revision awake.
-- Returns: now, then for each Revision: 1 where it is due and its doorbell is the caller's to ring, its first report or ''.
local fresh = redis.call('SET', PREFIX .. 'commit:' .. ARGV[1], 1, 'NX', 'PX', 60000)
local ring_again = tonumber(ARGV[2])
local replies, recorded = {now}, 0

for i = 3, #ARGV, 5 do
  local name, calls, waiting = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local first_call, last_call = now - ARGV[i + 3], now - ARGV[i + 4]
  local key = revision_key(name)
  local state = redis.call('HMGET', key, 'last_call', 'ready_at', 'due_at', 'first_report')
  local ring = 0
  if fresh then
    recorded = recorded + calls
    if not state[1] and waiting < 0 then
      -- Only an absent Redis let a Revision be forgotten that the front knows to be awake: it goes on being awake.
      state[4] = '0'
      redis.call('HSET', key, 'first_report', 0, 'last_report', 0)
    end
    redis.call('PERSIST', key)
    redis.call('HINCRBY', key, 'calls', calls)
    redis.call('HINCRBY', key, 'waiting', math.max(waiting, 0))
    redis.call('HSETNX', key, 'first_call', first_call)
    redis.call('HSET', key, 'last_call', math.max(last_call, tonumber(state[1] or '') or 0))
    local due_at = math.max(now, tonumber(state[2] or '') or 0)
    if not redis.call('ZSCORE', LEASED, name) and due_at < (tonumber(state[3] or '') or math.huge) then
      ring = due_at <= now and 1 or 0
      pend(name, due_at, due_at + ring * ring_again)
    end
  end
  replies[#replies + 1] = ring
  replies[#replies + 1] = state[4] or ''
end

if recorded > 0 then
  redis.call('HINCRBY', TOTALS, 'recorded', recorded)
end
return replies
