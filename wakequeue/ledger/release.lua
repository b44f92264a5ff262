-- release: what was taken was not confirmed; the Revision is pending again after a back-off.
-- ARGV: token, the cause, then for each Revision: name, back-off (ms).
-- Returns: the names whose lease was lost, for which nothing has changed, but that their holder lives.
local lost = {}

for i = 3, #ARGV, 2 do
  local name = ARGV[i]
  local key = revision_key(name)
  local state, had = read(key)
  if not holds(name, state, ARGV[1]) then
    lost[#lost + 1] = name
  else
    give_back(name, state, now + ARGV[i + 1], ARGV[2], true)
  end
  write(key, state, had)
end

return lost
