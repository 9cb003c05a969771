local key = ARGV[3]
local ek = entry_key(key)
local e = fields(ek, 'parked_at', 'accepted')
if not e.parked_at or not e.accepted then return {0} end
call('HDEL', ek, 'parked_at', 'why')
call('HSET', ek, 'attempts', '0', 'accepted', text(now), 'held_at',
    text(held(fields(state_key, 'held', 'hold_since'))))
call('ZREM', parked_key, key)
call('ZADD', age_key, text(now), key)
make_due(key, now)
return {1}
