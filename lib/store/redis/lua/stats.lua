local s = fields(state_key, 'born', 'born_run', 'paused_at', 'pause_why', 'failures', 'opened', 'open_until',
    'heartbeat', 'delivered', 'forgot', 'first_used')
local far = call('ZCOUNT', due_key, '(' .. text(now + MAX_DELAY), '+inf')
local oldest = call('ZRANGE', age_key, 0, 0, 'WITHSCORES')[2]
local waiting, born, since = call('ZCARD', due_key), born_of(s), nil
since = now - (tonumber(s.heartbeat) or born)
return {waiting, call('ZCOUNT', due_key, '-inf', text(now)) + far, oldest and math.max(0, now - oldest) or 0,
    call('ZCARD', parked_key), s.opened and math.max(1, s.open_until - now) or 0, tonumber(s.failures or 0),
    s.paused_at and 1 or 0, s.pause_why or '', s.paused_at and math.max(0, now - s.paused_at) or 0,
    s.heartbeat and math.max(0, now - s.heartbeat) or -1, since > 600000 and first_free() and 1 or 0,
    math.max(0, call('HGET', state_key, 'reconcile') or 0), math.max(0, now - born), call('HGETALL', base .. ':counters'),
    s.delivered and math.max(0, now - s.delivered) or -1, text(s.forgot or 0),
    math.max(0, now - (s.first_used or born))}
