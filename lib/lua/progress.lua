-- Also renews a lease, when there is nothing to tell.
local _, _, link_ttl, key, token, contact, opportunity, replace, attempt, note, clear, lease_ms = unpack(ARGV)
local ok, ek = order_key(key), entry_key(key)
local e = fields(ek, 'token', 'attempt')
local mine, conflict = e.token == token, false

if mine and replace == '1' then
    -- What the old contact held says nothing of the new one.
    call('HSET', ok, 'contact', contact)
    call('HDEL', ok, 'part0', 'part1', 'part2', 'part3')
    contact = ''
end
if contact ~= '' or opportunity ~= '' then conflict = learn(key, link_ttl, contact, opportunity) end
local known = (e.attempt == '1' and contact ~= '') or (e.attempt == '2' and opportunity ~= '')
if clear == '1' and e.attempt and (mine or (known and not conflict)) then
    call('HDEL', ek, 'attempt', 'attempt_note', 'attempt_at')
    if call('HLEN', ek) == 0 then call('DEL', ek) end
end
if not mine then return {0, conflict and 1 or 0} end
if attempt ~= '0' then
    call('HSET', ek, 'attempt', attempt, 'attempt_note', note, 'attempt_at', text(now))
end
lease(key, token, lease_ms)
return {1, conflict and 1 or 0}
