-- bury: what was taken will never be confirmed; it becomes a dead letter. Calls that came since are pending.
-- ARGV: token, idle_after (ms), how many dead letters are kept and for how long (ms), how many entries of the audit trail are
--       kept, reason, then the names.
-- Returns: the names whose lease was lost, for which nothing has changed, but that their holder lives.
local token, idle_after, keep, keep_for, keep_history, reason =
  ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
local lost = {}

for i = 7, #ARGV do
  local name = ARGV[i]
  local key = revision_key(name)
  local state, had = read(key)
  local lasts = nil
  if holds(name, state, token) then
    lasts = entomb(name, state, reason, idle_after, keep_history)
  else
    lost[#lost + 1] = name
  end
  write(key, state, had, lasts)
end
bound(keep, now - keep_for)
return lost
