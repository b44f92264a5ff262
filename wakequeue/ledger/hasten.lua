-- hasten: the Autoscaler is back; what could not be delivered is due now, and the sweep rings for all that is due, the oldest first.
-- What a rate limit delays keeps its slot.
-- ARGV: the names.
-- Returns: how many are due.
local hastened = 0

for _, name in ipairs(ARGV) do
  local key = revision_key(name)
  local state, had = read(key)
  local due_at, failed = tonumber(state.due_at), number(state.attempts) > 0 and not state.passed
  if due_at and (failed or due_at <= now) then
    state.ready_at = math.min(now, due_at)
    pend(name, state, state.ready_at, waits_since(state))
    write(key, state, had)
    hastened = hastened + 1
  end
end

return hastened
