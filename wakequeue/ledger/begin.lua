-- begin: starts that are due are made, the others planned, all or none.
-- ARGV: queue, ring_below, ring_again, idle_after, make_up_within (ms), how many entries of the audit trail are kept, the cause, a
--       schedule or '', the time of its start (ms), 1 where the last of that start's Revisions are among these, then for each
--       start: name, its time (ms) or 0 for now, for how long it is kept warm (ms), pods, 1 where only a Revision that is asleep starts.
-- Returns: how many are planned, -1 where there is no room for them; then the names that are due, whose doorbells are the caller's
--          to ring.
--
-- The Revisions of a schedule's start come in the order of their names, in one script or several. Those that came before come again
-- in vain: the hash of schedules says how far the newest start is, as TIME NAME, and as TIME ~ once it is all there.
local SCHEDULES, MOST_PLANS = PREFIX .. 'schedules', 100000
local schedule, scheduled_at, is_last = ARGV[8], tonumber(ARGV[9]), ARGV[10] == '1'
local may_ring = redis.call('LLEN', ARGV[1]) < tonumber(ARGV[2])
local times = {
  idle_after = tonumber(ARGV[4]), make_up = tonumber(ARGV[5]), keep_history = ARGV[6],
  ring_at = may_ring and now + ARGV[3] or now,
}
local begun, starts = {0}, {}
local reached_at, reached = string.match(redis.call('HGET', SCHEDULES, schedule) or '0 ', '^(%d+) (.*)$')
reached_at = tonumber(reached_at)

for i = 11, #ARGV, 5 do
  local name = ARGV[i]
  if schedule == '' or scheduled_at > reached_at or (scheduled_at == reached_at and name > reached) then
    local at = tonumber(ARGV[i + 1])
    starts[#starts + 1] = {name = name, at = at > 0 and at or now, start = {
      cause = ARGV[7], keep_for = tonumber(ARGV[i + 2]), pods = tonumber(ARGV[i + 3]), only_asleep = ARGV[i + 4] == '1',
    }}
  end
end
if redis.call('ZCARD', PLANNED) + #starts > MOST_PLANS then
  return {-1}
end
for _, one in ipairs(starts) do
  if one.at > now then
    local plan = one.name .. ' ' .. string.format('%.0f', one.at)
    redis.call('ZADD', PLANNED, one.at, plan)
    redis.call('HSET', PLANS, plan, cjson.encode(one.start))
    begun[1] = begun[1] + 1
  elseif begin(one.name, one.start, one.at, times) and may_ring then
    begun[#begun + 1] = one.name
  end
end
if schedule ~= '' and scheduled_at >= reached_at then
  local last = is_last and '~' or starts[#starts] and starts[#starts].name
  if last then
    redis.call('HSET', SCHEDULES, schedule, ARGV[9] .. ' ' .. last)
  end
end
return begun
