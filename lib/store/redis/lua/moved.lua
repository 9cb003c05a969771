-- The caller comes from another server, where it last got something done ARGV[3] ms ago: if that was after this one took
-- over, it lacks that. Whoever does not remember another server changes nothing.
if now - ARGV[3] > tonumber(call('HGET', state_key, 'forgot') or 0) then
    keep_first_used(call('HGET', state_key, 'born'))
    call('HSET', state_key, 'born', text(now), 'born_run', ARGV[2], 'forgot', text(now))
    want_reconcile()
end
return {1}
