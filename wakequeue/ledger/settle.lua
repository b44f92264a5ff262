-- settle: what was taken has been confirmed; the Revision rests, or is pending again.
-- ARGV: token, idle_after (ms), then for each Revision: name, first report, last report, concurrency, ready_at, repeat_at or '', gone.
-- Returns: the names whose lease was lost, for which nothing has changed.
local token, idle_after = ARGV[1], tonumber(ARGV[2])
local lost, settled = {}, 0

for i = 3, #ARGV, 7 do
  local name = ARGV[i]
  local key = revision_key(name)
  if not holds(name, token) then
    lost[#lost + 1] = name
  else
    redis.call('ZREM', LEASED, name)
    settled = settled + number(key, 'taken')
    redis.call('HSET', key, 'taken', 0, 'attempts', 0, 'first_report', ARGV[i + 1], 'last_report', ARGV[i + 2],
      'concurrency', ARGV[i + 3], 'ready_at', ARGV[i + 4])
    redis.call('HINCRBY', key, 'waiting', -ARGV[i + 6])
    go_on(name, idle_after, tonumber(ARGV[i + 5]))
  end
end

if settled > 0 then
  redis.call('HINCRBY', TOTALS, 'settled', settled)
end
return lost
