-- bury: what was taken will never be confirmed; it becomes a dead letter. Calls that came since are pending.
-- ARGV: token, idle_after (ms), how many dead letters are kept, reason, then the names.
-- Returns: the names whose lease was lost, for which nothing has changed.
local token, idle_after, keep, reason = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local BURIED, DEAD = PREFIX .. 'buried', PREFIX .. 'dead'
local lost, buried = {}, 0

for i = 5, #ARGV do
  local name = ARGV[i]
  local key = revision_key(name)
  if not holds(name, token) then
    lost[#lost + 1] = name
  else
    redis.call('ZREM', LEASED, name)
    local calls = number(key, 'taken')
    buried = buried + calls
    local letter = name .. '@' .. token
    redis.call('ZADD', BURIED, now, letter)
    redis.call('HSET', DEAD, letter, cjson.encode({
      revision = name, reason = reason, calls = calls, buried_at = now, attempts = number(key, 'attempts'),
      first_call = number(key, 'taken_first_call'), last_call = number(key, 'last_call'),
    }))
    redis.call('HSET', key, 'taken', 0, 'attempts', 0, 'waiting', number(key, 'calls'))
    go_on(name, idle_after)
  end
end

while redis.call('ZCARD', BURIED) > keep do
  redis.call('HDEL', DEAD, redis.call('ZPOPMIN', BURIED)[1])
  redis.call('HINCRBY', TOTALS, 'letters_dropped', 1)
end

if buried > 0 then
  redis.call('HINCRBY', TOTALS, 'buried', buried)
end
return lost
