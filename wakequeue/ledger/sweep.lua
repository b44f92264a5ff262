-- sweep: end the leases that ran out, make the starts whose time has come, name the pending Revisions whose doorbell is to be rung,
-- drop old dead letters, and see to it that the ledger's clock never goes back.
-- ARGV: queue, ring_below, ring_again (ms), how many at most, idle_after (ms), how many dead letters are kept and for how long
--       (ms), how many entries of the audit trail are kept, make_up_within (ms), and the worker that sweeps, where it is
--       connected to the Autoscaler, which the others are told.
-- Returns: how many leases ran out, how many of those were poisoned, how many planned starts came too late, then the names to ring,
--          the longest due first: none while the queue is long, for ringing would only lengthen it.
local queue, ring_below, ring_again, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local idle_after, keep_letters, keep_for, keep_history = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local connected = ARGV[10]
local POISONED_AFTER = 3

if connected ~= '' then
  redis.call('SET', PREFIX .. 'connected', connected, 'PX', 1000)
end

if now - seen_now >= 1000 or now ~= redis_now + ahead then
  redis.call('HSET', TOTALS, 'clock', now, 'ahead', now - redis_now)
end

-- A lease that ends with its holder makes its Revision a suspect. Where the holder had suspects on trial, they alone are.
local function blame(state)
  local on_trial = redis.call('EXISTS', PREFIX .. 'trial:' .. (state.holder or '')) == 1
  if number(state.crashes) > 0 or not on_trial then
    state.crashes = number(state.crashes) + 1
    return state.crashes
  end
  return 0
end

local dead = redis.call('ZRANGEBYSCORE', LEASED, '-inf', now, 'LIMIT', 0, most)
local swept = {#dead, 0}
for _, name in ipairs(dead) do
  local key = revision_key(name)
  local state, had = read(key)
  local lasts = nil
  if blame(state) >= POISONED_AFTER then
    swept[2] = swept[2] + 1
    lasts = entomb(name, state, 'poisoned', idle_after, keep_history)
  else
    give_back(name, state, now, 'the lease ran out')
  end
  write(key, state, had, lasts)
end
swept[3] = begin_planned(250, {
  idle_after = idle_after, make_up = tonumber(ARGV[9]), keep_history = keep_history, keep_letters = keep_letters, ring_at = now,
})
bound(keep_letters, now - keep_for)
save_moves()

if redis.call('LLEN', queue) < ring_below then
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', PENDING, '-inf', now, 'LIMIT', 0, most)) do
    join(PENDING, now + ring_again, name)
    swept[#swept + 1] = name
  end
end
return swept
