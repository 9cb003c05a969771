local parked_ttl, n = ARGV[3], 0
for _, key in ipairs(call('ZRANGEBYSCORE', parked_key, '-inf', text(now - parked_ttl))) do
    if call('HDEL', entry_key(key), 'accepted', 'body') > 0 then n = n + 1 end
end
return {n}
