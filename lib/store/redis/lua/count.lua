-- count: adds 1 to a counter. KEYS: the counter. ARGV: how many ms it lives from its first count; '0' = for ever.
local count = redis.call('INCR', KEYS[1])
if count == 1 and ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
