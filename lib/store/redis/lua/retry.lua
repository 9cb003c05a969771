local _, _, key, token, delay, counted, hold, why = unpack(ARGV)
local ek = entry_key(key)
if call('HGET', ek, 'token') ~= token then return {0} end
if promote(key) then
    make_due(key, hold == '1' and now + delay or now)
    return {1}
end
if counted == '1' then
    call('HINCRBY', ek, 'attempts', 1)
elseif tonumber(delay) > 0 then
    call('HINCRBY', ek, 'held_at', text(-delay)) -- the time until then is taken off its age
end
call('HSET', ek, 'why', why)
make_due(key, now + delay)
return {1}
