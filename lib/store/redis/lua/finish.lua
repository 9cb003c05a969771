local _, _, link_ttl, key, token, fingerprint, contact, opportunity, gone, part0, part1, part2, part3, idem_ttl,
    next_lease, next_token, boot, boot_ms = unpack(ARGV)
local ok, ek = order_key(key), entry_key(key)

if call('HGET', ek, 'token') ~= token then
    if contact ~= '' or opportunity ~= '' then learn(key, link_ttl, contact, opportunity) end
    return {0}
end
-- An id that somebody else learned in the meantime is not forgotten.
if contact ~= '' then call('HSET', ok, 'contact', contact) end
if opportunity ~= '' then call('HSET', ok, 'opportunity', opportunity) end
call('HSET', ok, 'gone', gone, 'part0', part0, 'part1', part1, 'part2', part2, 'part3', part3)
local o = fields(ok, 'fingerprint', 'contact', 'opportunity')
if o.fingerprint == fingerprint then
    call('SET', base .. ':idem:' .. key, text(now), 'PX', idem_ttl)
end
local attempt = call('HGET', ek, 'attempt')
if attempt and (gone == '1' or (o.opportunity or '') ~= '' or (attempt == '1' and (o.contact or '') ~= '')) then
    call('HDEL', ek, unpack(ATTEMPT))
end
if not promote(key) then
    forget_bodies(key, link_ttl)
    return {1}
end
if tonumber(next_lease) == 0 then
    make_due(key, now)
    return {1}
end
lease(key, next_token, next_lease)
local state = fields(state_key, 'born', 'born_run', 'forgot', 'held', 'hold_since')
return {2, leased_reply(key, state, link_ttl, true, boot, boot_ms)}
