local key_id = ARGV[3]
if call('HGET', state_key, 'forgot_key') ~= key_id then
    -- Since when it was used is lost, too: a month has to do.
    call('HSET', state_key, 'born', text(now), 'born_run', ARGV[2], 'forgot', text(now), 'forgot_key', key_id,
        'first_used', text(now - 30 * DAY))
    want_reconcile()
end
return {1}
