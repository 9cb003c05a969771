local key_id = ARGV[3]
if call('HGET', state_key, 'forgot_key') ~= key_id then
    call('HSET', state_key, 'born', text(now), 'born_run', ARGV[2], 'forgot', text(now), 'forgot_key', key_id)
    want_reconcile()
end
return {1}
