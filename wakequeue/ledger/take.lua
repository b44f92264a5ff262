-- take: lease those of the named Revisions that are due.
-- ARGV: lease (ms), then the names.
-- Returns: now, the token, then for each Revision taken: name, calls, waiting, first call, last call, due_at, attempts,
--          first report or '', last report or '', concurrency of the last report.
local lease = tonumber(ARGV[1])
local token = redis.call('HINCRBY', TOTALS, 'token', 1)
local taken = {now, token}

for i = 2, #ARGV do
  local name = ARGV[i]
  local key = revision_key(name)
  local due_at = redis.call('HGET', key, 'due_at')
  if due_at and tonumber(due_at) <= now and redis.call('ZREM', PENDING, name) == 1 then
    redis.call('ZADD', LEASED, now + lease, name)
    local attempts = redis.call('HINCRBY', key, 'attempts', 1)
    local state = redis.call('HMGET', key, 'calls', 'waiting', 'first_call', 'last_call', 'first_report', 'last_report', 'concurrency')
    local calls, waiting, last_call = state[1], state[2], state[4]
    local first_call = state[3] or last_call
    redis.call('HDEL', key, 'due_at', 'first_call', 'taken_first_call')
    redis.call('HSET', key, 'taken', calls, 'calls', 0, 'token', token)
    if state[3] then
      redis.call('HSET', key, 'taken_first_call', first_call)
    end
    for _, value in ipairs({
      name, calls, waiting, first_call, last_call, due_at, attempts, state[5] or '', state[6] or '', state[7] or '0',
    }) do
      taken[#taken + 1] = value
    end
  end
end
return taken
