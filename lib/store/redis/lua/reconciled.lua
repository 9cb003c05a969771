local wanted = call('HGET', state_key, 'reconcile') or '0'
if tonumber(wanted) <= 0 then return {1} end
if wanted ~= ARGV[3] then return {0} end
call('HSET', state_key, 'reconcile', '-' .. wanted)
return {1}
