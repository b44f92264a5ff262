-- cancel: plans are taken back, and Revisions are kept warm no longer.
-- ARGV: how many plans, the plans, then the names of the Revisions.
-- Returns: how many of these plans there were, and how many of the Revisions were kept warm.
local cancelled, plans = {0, 0}, tonumber(ARGV[1])

for i = 2, plans + 1 do
  cancelled[1] = cancelled[1] + redis.call('ZREM', PLANNED, ARGV[i])
  redis.call('HDEL', PLANS, ARGV[i])
end
for i = plans + 2, #ARGV do
  local key = revision_key(ARGV[i])
  local _, kept_until = kept(redis.call('HGET', key, 'keeps'))
  redis.call('HDEL', key, 'keeps')
  if kept_until > 0 then
    cancelled[2] = cancelled[2] + 1
  end
end
return cancelled
