local counter = base .. ':unsigned:' .. text(math.floor(now / DAY)) .. ':' .. ARGV[3]
local count = call('INCR', counter)
if count == 1 then call('PEXPIRE', counter, 2 * DAY) end
return {count}
