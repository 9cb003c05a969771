if call('HEXISTS', entry_key(ARGV[4]), 'parked_at') == 0 then return {0} end
forget_bodies(ARGV[4], ARGV[3])
call('HDEL', order_key(ARGV[4]), 'ended') -- a late sale must not bring it back
return {1}
