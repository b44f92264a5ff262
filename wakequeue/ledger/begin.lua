-- begin: starts that are due are made, the others planned, all or none.
-- ARGV: queue, ring_below (0: no doorbell is left to the caller), ring_again, idle_after, make_up_within (ms), how many entries of
--       the audit trail and how many dead letters are kept, the cause, a schedule or '', the time of its start (ms), 1 where the
--       last of that start's Revisions are among these, then for each start: name, its time (ms) or 0 for now, for how long it is
--       kept warm (ms), pods, 1 where only a Revision that is asleep starts.
-- Returns: how many are planned, -1 where there is no room for them; how many came too late; how many are made; then the names that
--          are due, whose doorbells are the caller's to ring.
--
-- The Revisions of a schedule's start come in the order of their names, in one script or several. Those that came before come again
-- in vain: the hash of schedules says how far the newest start is, as TIME NAME, and as TIME ~ once it is all there.
local MOST_PLANS = 100000
local cause, schedule, scheduled_at, is_last = ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11] == '1'
local may_ring = redis.call('LLEN', ARGV[1]) < tonumber(ARGV[2])
local times = {
  idle_after = tonumber(ARGV[4]), make_up = tonumber(ARGV[5]), keep_history = ARGV[6], keep_letters = tonumber(ARGV[7]),
  ring_at = may_ring and now + ARGV[3] or now,
}
local begun, starts, later = {0, 0, 0}, {}, 0
local reached_at, reached = string.match(redis.call('HGET', SCHEDULES, schedule) or '0 ', '^(%d+) (.*)$')
reached_at = tonumber(reached_at)

-- By their bytes: Lua compares by Redis's locale.
local function comes_after(name, other)
  for i = 1, math.min(#name, #other) do
    local a, b = string.byte(name, i), string.byte(other, i)
    if a ~= b then
      return a > b
    end
  end
  return #name > #other
end

for i = 12, #ARGV, 5 do
  local name = ARGV[i]
  if schedule == '' or scheduled_at > reached_at or (scheduled_at == reached_at and comes_after(name, reached)) then
    local at = tonumber(ARGV[i + 1])
    later = later + (at > redis_now and 1 or 0)
    starts[#starts + 1] = {name = name, at = at > 0 and at or redis_now, start = {
      cause = cause, keep_for = tonumber(ARGV[i + 2]), pods = tonumber(ARGV[i + 3]), only_asleep = ARGV[i + 4] == '1',
    }}
  end
end
if later > 0 and redis.call('ZCARD', PLANNED) + later > MOST_PLANS then
  return {-1, 0, 0}
end
for _, one in ipairs(starts) do
  if one.at > redis_now then
    local plan = string.format('%s %.0f %s', one.name, one.at, cause)
    redis.call('ZADD', PLANNED, one.at, plan)
    redis.call('HSET', PLANS, plan, cjson.encode(one.start))
    begun[1] = begun[1] + 1
  else
    local made, due = begin(one.name, one.start, one.at, times)
    begun[2] = begun[2] + (redis_now - one.at > times.make_up and 1 or 0)
    begun[3] = begun[3] + (made and 1 or 0)
    if due and may_ring then
      begun[#begun + 1] = one.name
    end
  end
end
if schedule ~= '' and scheduled_at >= reached_at then
  local last = is_last and '~' or starts[#starts] and starts[#starts].name
  if last then
    redis.call('HSET', SCHEDULES, schedule, ARGV[10] .. ' ' .. last)
  end
end
return begun
