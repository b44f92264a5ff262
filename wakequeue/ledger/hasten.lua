-- hasten: the Autoscaler is back; what could not be delivered is due now, and the sweep rings for all that is due, the oldest first.
-- What a rate limit delays keeps its slot.
-- ARGV: the names.
-- Returns: how many are due.
local hastened = 0

for _, name in ipairs(ARGV) do
  local key = revision_key(name)
  local state = redis.call('HMGET', key, 'due_at', 'attempts', 'first_call', 'last_call', 'passed')
  local due_at, failed = tonumber(state[1] or ''), (tonumber(state[2] or '') or 0) > 0 and not state[5]
  if due_at and (failed or due_at <= now) then
    redis.call('HSET', key, 'ready_at', math.min(now, due_at))
    pend(name, math.min(now, due_at), tonumber(state[3] or state[4]))
    hastened = hastened + 1
  end
end
return hastened
