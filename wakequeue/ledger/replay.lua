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
    local state, had = read(key)
    add_calls(state, dead.calls, now, now, dead.callers)
    state.wakeup, state.waiting = state.wakeup or dead.wakeup or new_wakeup(letter), state.waiting or 0
    local due_at = math.max(now, number(state.ready_at))
    if is_sooner(name, state, due_at) then
      pend_called(name, state, due_at, due_at)
    end
    write(key, state, had)
    replayed = replayed + 1
  end
end

return replayed
