local _, _, key, body, why = unpack(ARGV)
local ek = entry_key(key)
if call('EXISTS', ek) == 1 then return {0} end
call('HSET', ek, 'body', body, 'status', '', 'fingerprint', '', 'accepted', text(now), 'held_at', '0', 'attempts',
    '0', 'created', text(math.floor(now / 1000)), 'why', why, 'parked_at', text(now))
call('ZADD', parked_key, text(now), key)
return {1}
