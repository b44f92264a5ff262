-- hasten: the Autoscaler is back; what could not be delivered is due now, the oldest first.
-- ARGV: the names.
-- Returns: how many were hastened.
local hastened = 0

for _, name in ipairs(ARGV) do
  local key = revision_key(name)
  local state = redis.call('HMGET', key, 'due_at', 'attempts', 'first_call', 'last_call')
  if state[1] and (tonumber(state[2] or '') or 0) > 0 then
    redis.call('HSET', key, 'ready_at', now)
    redis.call('HDEL', key, 'passed')
    pend(name, math.min(now, tonumber(state[1])), tonumber(state[3] or state[4]))
    hastened = hastened + 1
  end
end
return hastened
