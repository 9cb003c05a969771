call('HSET', state_key, 'pause_token', ARGV[3], 'pause_why', ARGV[4])
if state.paused_at then return {0} end
call('HSET', state_key, 'paused_at', text(now))
keep_held()
return {1}
