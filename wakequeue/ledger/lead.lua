-- lead: a beat leads, unless another one does. Whoever leads has the ledger forget the schedules that it doesn't have.
-- ARGV: the queue of starts, the beat, for how long (ms; 0: no longer), then the schedules.
-- Returns: the time by Redis's clock, 1 where it leads, how many starts wait in the queue, then for each schedule how far it is: see
--          begin. One that is new had its last start now.
local BEAT = PREFIX .. 'beat'
local beat, lasts = ARGV[2], tonumber(ARGV[3])
local leads = (redis.call('GET', BEAT) or beat) == beat
local led, names = {redis_now, leads and 1 or 0, redis.call('LLEN', ARGV[1])}, {}
local new = string.format('%.0f ~', redis_now)

if leads and lasts > 0 then
  redis.call('SET', BEAT, beat, 'PX', lasts)
elseif leads then
  redis.call('DEL', BEAT)
end
for i = 4, #ARGV do
  names[ARGV[i]] = true
  if leads then
    redis.call('HSETNX', SCHEDULES, ARGV[i], new)
  end
  led[#led + 1] = redis.call('HGET', SCHEDULES, ARGV[i]) or new
end
if leads and lasts > 0 and redis.call('HLEN', SCHEDULES) > #ARGV - 3 then
  for _, name in ipairs(redis.call('HKEYS', SCHEDULES)) do
    if not names[name] then
      redis.call('HDEL', SCHEDULES, name)
    end
  end
end
return led
