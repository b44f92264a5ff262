-- purge: dead letters are dropped for good; their calls are discarded.
-- ARGV: the dead letters.
-- Returns: how many there were.
return discard(ARGV)
