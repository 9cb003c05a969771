local _, _, key, token, why = unpack(ARGV)
local ek = entry_key(key)
if call('HGET', ek, 'token') ~= token then return {0, 0} end
if promote(key) then
    make_due(key, now)
    return {1, 0}
end
call('HSET', ek, 'why', why, 'parked_at', text(now))
call('HDEL', ek, unpack(LEASE))
call('ZREM', due_key, key)
call('ZREM', age_key, key)
call('ZADD', parked_key, text(now), key)
return {1, 1}
