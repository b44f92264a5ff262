-- census: what the ledger holds, counted and not assumed. Reads only.
-- ARGV: queue.
-- Returns: pending and leased Revisions; pending and leased calls; dead letters; recorded, settled, buried and discarded calls;
--          dropped dead letters; plans; tasks in the queue; the age of the oldest due Revision (ms).
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

local totals = redis.call('HMGET', TOTALS, 'recorded', 'settled', 'buried', 'discarded', 'letters_dropped')
for i = 1, 5 do
  totals[i] = tonumber(totals[i] or '') or 0
end
return {
  #pending, #leased, pending_calls, leased_calls, redis.call('ZCARD', PREFIX .. 'buried'),
  totals[1], totals[2], totals[3], totals[4], totals[5], redis.call('ZCARD', PREFIX .. 'planned'),
  redis.call('LLEN', ARGV[1]), now - oldest,
}
