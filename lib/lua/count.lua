call('HINCRBY', base .. ':counters', ARGV[3], 1)
if ARGV[4] == '1' then call('HSET', state_key, 'reconcile', '1') end
return {1}
