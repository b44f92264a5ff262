-- replay: dead letters are pending again, as if they had been called now, though nobody waits any more. A Revision that is asleep
-- goes on under the letter's id.
-- ARGV: the dead letters.
-- Returns: how many there were; the others are replayed already, or dropped.
local replayed = 0

for _, letter in ipairs(ARGV) do
  local content = redis.call('HGET', DEAD, letter)
  if content then
    local dead = cjson.decode(content)
    local name = dead.revision
    local key = revision_key(name)
    take_out({letter})
    add_calls(key, dead.calls, now, now, dead.callers)
    redis.call('HSETNX', key, 'wakeup', dead.wakeup or new_wakeup(letter))
    redis.call('HINCRBY', key, 'waiting', 0)
    local due_at = math.max(now, number(key, 'ready_at'))
    if due_at < (tonumber(redis.call('HGET', key, 'due_at') or '') or math.huge) and not redis.call('ZSCORE', LEASED, name) then
      pend(name, due_at, due_at)
    end
    replayed = replayed + 1
  end
end
return replayed
