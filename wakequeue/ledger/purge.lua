-- purge: dead letters are dropped for good; their calls are discarded.
-- ARGV: the dead letters.
-- Returns: how many there were.
local found, calls = take_out(ARGV)
if calls > 0 then
  redis.call('HINCRBY', TOTALS, 'discarded', calls)
end
return found
