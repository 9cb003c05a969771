local after, max = ARGV[3], tonumber(ARGV[4])
local rank = after ~= '' and call('ZRANK', parked_key, after)
local from, out = rank and rank + 1 or 0, {}
if max < 1 then return out end
for _, key in ipairs(call('ZRANGE', parked_key, from, from + max - 1)) do
    local e = fields(entry_key(key), 'why', 'status', 'parked_at', 'attempts')
    out[#out + 1] = {key, e.why or '', e.status or '', math.max(0, now - (e.parked_at or now)),
        tonumber(e.attempts or 0), false}
end
return out
