-- ARGV: ..., any pause ("1") or one about another token than this.
if not state.paused_at then return {0} end
if ARGV[3] ~= '1' and (state.pause_token == '' or state.pause_token == ARGV[4]) then return {0} end
call('HDEL', state_key, 'paused_at', 'pause_token', 'pause_why', 'pause_probe')
keep_held()
return {1}
