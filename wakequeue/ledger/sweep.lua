-- sweep: end the leases that ran out, and name the pending Revisions whose doorbell is to be rung.
-- ARGV: queue, ring_below, ring_again (ms), how many at most.
-- Returns: how many leases ran out, then the names to ring: none while the queue is long, for ringing would only lengthen it.
local queue, ring_below, ring_again, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local dead = redis.call('ZRANGEBYSCORE', LEASED, '-inf', now, 'LIMIT', 0, most)

for _, name in ipairs(dead) do
  give_back(name, now)
end

local swept = {#dead}
if redis.call('LLEN', queue) < ring_below then
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', PENDING, '-inf', now, 'LIMIT', 0, most)) do
    redis.call('ZADD', PENDING, now + ring_again, name)
    swept[#swept + 1] = name
  end
end
return swept
