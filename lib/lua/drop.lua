if call('HEXISTS', entry_key(ARGV[4]), 'parked_at') == 0 then return {0} end
forget_bodies(ARGV[4], ARGV[3])
return {1}
