-- Replies {2}: another data key; {0}: they are kept already.
local _, _, key, body, why, key_id = unpack(ARGV)
if not has_key(key_id) then return {2} end
local ek = entry_key(key)
if call('EXISTS', ek) == 1 then return {0} end
call('HSET', ek, 'body', body, 'status', '', 'fingerprint', '', 'accepted', text(now), 'held_at', '0', 'attempts',
    '0', 'created', text(math.floor(now / 1000)), 'why', why, 'parked_at', text(now))
call('ZADD', parked_key, text(now), key)
return {1}
