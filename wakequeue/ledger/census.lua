-- census: what the ledger holds, counted and not assumed. Reads only.
-- ARGV: queue.
-- Returns: pending and leased Revisions; pending and leased calls; dead letters; recorded, settled and buried calls;
--          tasks in the queue; the age of the oldest due Revision (ms).
local pending, leased = redis.call('ZRANGE', PENDING, 0, -1), redis.call('ZRANGE', LEASED, 0, -1)
local pending_calls, leased_calls, oldest = 0, 0, now

for _, name in ipairs(pending) do
  local state = redis.call('HMGET', revision_key(name), 'calls', 'due_at')
  pending_calls = pending_calls + (tonumber(state[1] or '') or 0)
  oldest = math.min(oldest, tonumber(state[2] or '') or now)
end
for _, name in ipairs(leased) do
  local state = redis.call('HMGET', revision_key(name), 'calls', 'taken')
  pending_calls = pending_calls + (tonumber(state[1] or '') or 0)
  leased_calls = leased_calls + (tonumber(state[2] or '') or 0)
end

local totals = redis.call('HMGET', TOTALS, 'recorded', 'settled', 'buried')
return {
  #pending, #leased, pending_calls, leased_calls, redis.call('ZCARD', PREFIX .. 'buried'),
  tonumber(totals[1] or '') or 0, tonumber(totals[2] or '') or 0, tonumber(totals[3] or '') or 0,
  redis.call('LLEN', ARGV[1]), now - oldest,
}
