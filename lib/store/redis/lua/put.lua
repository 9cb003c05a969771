local _, _, name, value, ttl, if_absent = unpack(ARGV)
local key = base .. ':thing:' .. name
local known = if_absent == '1' and call('GET', key)
if known then return {known} end
if tonumber(ttl) > 0 then call('SET', key, value, 'PX', ttl) else call('SET', key, value) end
return {value}
