-- present: a front, a worker or a beat is there. Who wasn't heard of for as long as that lasts is forgotten.
-- ARGV: its name, for how long this lasts (ms; 0: it is gone), its own clock (ms), what it says of itself.
local HEARD, PROCESSES = PREFIX .. 'heard', PREFIX .. 'processes'
local name, lasts, clock, says = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

if lasts > 0 then
  redis.call('ZADD', HEARD, now, name)
  redis.call('HSET', PROCESSES, name, string.format('%.0f %s', clock - redis_now, says))
  for _, silent in ipairs(redis.call('ZRANGEBYSCORE', HEARD, '-inf', now - lasts)) do
    redis.call('ZREM', HEARD, silent)
    redis.call('HDEL', PROCESSES, silent)
  end
  redis.call('PEXPIRE', HEARD, lasts)
  redis.call('PEXPIRE', PROCESSES, lasts)
else
  redis.call('ZREM', HEARD, name)
  redis.call('HDEL', PROCESSES, name)
end
