-- settle: what was taken has been confirmed; the Revision rests, or is pending again. Its waking may have ended with it: one that
-- was unwoken becomes a dead letter, whose calls are none, for they were settled when they were reported.
-- ARGV: token, idle_after (ms), how many dead letters are kept and for how long (ms), how many entries of the audit trail are
--       kept, and the Revisions as MessagePack: of each its name, first_report, last_report, concurrency (as text), ready_at,
--       repeat_at, how many are gone, the phase that was reported, waking_since, then of a waking that ended woken or unwoken: its
--       outcome, its first call (since), its end (ended), and why it was unwoken (cause). What there isn't is left out.
-- Returns: the names whose lease was lost, for which nothing has changed, but that their holder lives.
local token, idle_after, keep, keep_for, keep_history =
  ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local lost, settled, unwoken = {}, 0, false

local function end_waking(state, one)
  local cause = one.cause or ''
  tell(one.name, state, keep_history, one.outcome, cause, one.since, 'lasted', one.ended - one.since)
  if one.outcome == 'unwoken' then
    unwoken = true
    add_letter(one.name, state, one.outcome, 0, one.since, cjson.encode({{now, cause}}), '{}')
  end
end

for _, one in ipairs(cmsgpack.unpack(ARGV[6])) do
  local name, phase = one.name, one.phase
  local key = revision_key(name)
  local state, had = read(key)
  local lasts = nil
  if not holds(name, state, token) then
    lost[#lost + 1] = name
  else
    local calls = number(state.taken)
    settled = settled + calls
    if one.outcome then
      end_waking(state, one)
    end
    if phase and (calls > 0 or number(state.attempts) > 1) then
      remember(name, state, keep_history, 'reported', '', phase, one.concurrency)
    end
    state.first_report, state.last_report, state.concurrency = one.first_report or '', one.last_report or '', one.concurrency
    state.ready_at, state.waking_since = one.ready_at, one.waking_since or ''
    -- Of an awake Revision nobody waits; should one wait later, it is not added to those who once did.
    local awake = phase == 'awake' or not phase
    state.waiting = awake and '0' or number(state.waiting) - (one.gone or 0)
    lasts = go_on(name, state, idle_after, one.repeat_at)
  end
  write(key, state, had, lasts)
end
if settled > 0 then
  redis.call('HINCRBY', TOTALS, 'settled', settled)
end
if unwoken then
  bound(keep, now - keep_for)
end
return lost
