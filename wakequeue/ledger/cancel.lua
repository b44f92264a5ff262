-- cancel: what is planned of Revisions is taken back, and they are kept warm no longer.
-- ARGV: the names; none means all.
-- Returns: how many plans there were, and how many Revisions were kept warm.
local PLANNED, PLANS = PREFIX .. 'planned', PREFIX .. 'plans'
local cancelled, wanted, names = {0, 0}, {}, ARGV
for _, name in ipairs(ARGV) do
  wanted[name] = true
end

for _, plan in ipairs(redis.call('ZRANGE', PLANNED, 0, -1)) do
  if #ARGV == 0 or wanted[string.match(plan, '^%S+')] then
    redis.call('ZREM', PLANNED, plan)
    redis.call('HDEL', PLANS, plan)
    cancelled[1] = cancelled[1] + 1
  end
end

-- Who is kept warm always has a report to come.
if #ARGV == 0 then
  names = redis.call('ZRANGE', PENDING, 0, -1)
  for _, name in ipairs(redis.call('ZRANGE', LEASED, 0, -1)) do
    names[#names + 1] = name
  end
end
for _, name in ipairs(names) do
  local key = revision_key(name)
  local _, kept_until = kept(redis.call('HGET', key, 'keeps'))
  if redis.call('HDEL', key, 'keeps') == 1 and kept_until > 0 then
    cancelled[2] = cancelled[2] + 1
  end
end
return cancelled
