-- Also renews a lease, when there is nothing to tell.
local _, _, link_ttl, key, token, contact, opportunity, replace, attempt, note, clear, lease_ms, boot, boot_ms =
    unpack(ARGV)
local ok, ek = order_key(key), entry_key(key)
local e = fields(ek, 'token', 'attempt')
local mine, others = e.token == token, 0

if mine and replace == '1' then
    -- What the old contact held says nothing of the new one.
    call('HSET', ok, 'contact', contact)
    call('HDEL', ok, 'part0', 'part1', 'part2', 'part3')
    contact = ''
end
if contact ~= '' or opportunity ~= '' then others = learn(key, link_ttl, contact, opportunity) end
-- Without the lease an attempt ends with the id that it was for, if that is the one that is kept.
local ends = (e.attempt == '1' and contact ~= '' and others % 2 == 0) or
    (e.attempt == '2' and opportunity ~= '' and others < 2)
if clear == '1' and e.attempt and (mine or ends) then
    call('HDEL', ek, unpack(ATTEMPT))
    if call('HLEN', ek) == 0 then call('DEL', ek) end
end
if not mine then return {0, others} end
if attempt ~= '0' then
    call('HSET', ek, 'attempt', attempt, 'attempt_note', note, 'attempt_at', text(now), 'attempt_watch',
        boot ~= '' and ' ' .. boot .. '=' .. boot_ms or '')
end
lease(key, token, lease_ms)
return {1, others}
