-- settle: what was taken has been confirmed; the Revision rests, or is pending again. Its waking may have ended with it: one that
-- was unwoken becomes a dead letter, whose calls are none, for they were settled when they were reported.
-- ARGV: token, idle_after (ms), how many dead letters are kept and for how long (ms), how many entries of the audit trail are
--       kept, then for each Revision: name, first report or '', last report or '', concurrency, ready_at, repeat_at or '', gone, the
--       phase that was reported or '', the first call of the waking that is open or '', then of the waking that ended: woken,
--       unwoken or '', its first call, its end, and why it was unwoken.
-- Returns: the names whose lease was lost, for which nothing has changed, but that their holder lives.
local token, idle_after, keep, keep_for, keep_history =
  ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local lost, settled, unwoken = {}, 0, false

local function end_waking(name, outcome, first_call, ended, cause)
  tell(name, keep_history, outcome, cause, first_call, 'lasted', ended - first_call)
  if outcome == 'unwoken' then
    unwoken = true
    add_letter(name, outcome, 0, tonumber(first_call), cjson.encode({{now, cause}}), '{}')
  end
end

for i = 6, #ARGV, 13 do
  local name, phase = ARGV[i], ARGV[i + 7]
  local key = revision_key(name)
  if not holds(name, token) then
    lost[#lost + 1] = name
  else
    local calls = number(key, 'taken')
    settled = settled + calls
    if ARGV[i + 9] ~= '' then
      end_waking(name, ARGV[i + 9], ARGV[i + 10], ARGV[i + 11], ARGV[i + 12])
    end
    if phase ~= '' and (calls > 0 or number(key, 'attempts') > 1) then
      remember(name, keep_history, 'reported', '', phase, ARGV[i + 3])
    end
    redis.call('HSET', key, 'first_report', ARGV[i + 1], 'last_report', ARGV[i + 2], 'concurrency', ARGV[i + 3],
      'ready_at', ARGV[i + 4], 'waking_since', ARGV[i + 8])
    -- Of an awake Revision nobody waits; should one wait later, it is not added to those who once did.
    local awake = phase == 'awake' or phase == ''
    redis.call('HINCRBY', key, 'waiting', awake and -number(key, 'waiting') or -ARGV[i + 6])
    go_on(name, idle_after, tonumber(ARGV[i + 5]))
  end
end

if settled > 0 then
  redis.call('HINCRBY', TOTALS, 'settled', settled)
end
if unwoken then
  bound(keep, now - keep_for)
end
return lost
