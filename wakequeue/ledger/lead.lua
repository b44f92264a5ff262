-- lead: a beat leads, unless another one does.
-- ARGV: the beat, for how long (ms; 0: no longer), then the schedules.
-- Returns: now, 1 where it leads, then for each schedule how far it is: see begin. One that is new had its last start now.
local BEAT, SCHEDULES = PREFIX .. 'beat', PREFIX .. 'schedules'
local beat, lasts = ARGV[1], tonumber(ARGV[2])
local leads = (redis.call('GET', BEAT) or beat) == beat

if leads and lasts > 0 then
  redis.call('SET', BEAT, beat, 'PX', lasts)
elseif leads then
  redis.call('DEL', BEAT)
end

local led = {now, leads and 1 or 0}
for i = 3, #ARGV do
  if leads then
    redis.call('HSETNX', SCHEDULES, ARGV[i], string.format('%.0f ~', now))
  end
  led[#led + 1] = redis.call('HGET', SCHEDULES, ARGV[i]) or string.format('%.0f ~', now)
end
return led
