call('HINCRBY', base .. ':counters', ARGV[3], 1)
if ARGV[4] == '1' then want_reconcile() end
return {1}
