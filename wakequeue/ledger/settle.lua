-- settle: what was taken has been confirmed; the Revision rests, or is pending again.
-- ARGV: token, idle_after (ms), how many entries of the audit trail are kept, then for each Revision: name, first report, last
--       report, concurrency, ready_at, repeat_at or '', gone, the phase that was reported or ''.
-- Returns: the names whose lease was lost, for which nothing has changed, but that their holder lives.
local token, idle_after, keep_history = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local lost, settled = {}, 0

for i = 4, #ARGV, 8 do
  local name, phase = ARGV[i], ARGV[i + 7]
  local key = revision_key(name)
  if not holds(name, token) then
    lost[#lost + 1] = name
  else
    local calls = number(key, 'taken')
    settled = settled + calls
    if phase ~= '' and (calls > 0 or number(key, 'attempts') > 1) then
      remember(name, keep_history, 'reported', '', phase, ARGV[i + 3])
    end
    redis.call('HSET', key, 'first_report', ARGV[i + 1], 'last_report', ARGV[i + 2], 'concurrency', ARGV[i + 3],
      'ready_at', ARGV[i + 4])
    -- Of an awake Revision nobody waits; should one wait later, it is not added to those who once did.
    local awake = phase == 'awake' or phase == ''
    redis.call('HINCRBY', key, 'waiting', awake and -number(key, 'waiting') or -ARGV[i + 6])
    go_on(name, idle_after, tonumber(ARGV[i + 5]))
  end
end

if settled > 0 then
  redis.call('HINCRBY', TOTALS, 'settled', settled)
end
return lost
