local link_ttl, parked_ttl, n = ARGV[3], ARGV[4], 0
for _, key in ipairs(call('ZRANGEBYSCORE', parked_key, '-inf', text(now - parked_ttl))) do
    if call('HDEL', entry_key(key), 'accepted', 'body') > 0 then
        n = n + 1
        call('PEXPIRE', order_key(key), link_ttl)
    end
end
return {n}
