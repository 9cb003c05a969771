-- ARGV: ..., LINK_TTL, token, lease_ms, hashes. A lock holds its owner's token and its end.
local token, lease_ms, newest = ARGV[4], tonumber(ARGV[5]), 0
for i = 6, #ARGV do
    local owner, till = string.match(call('GET', base .. ':lock:' .. ARGV[i]) or '', '^(%S+) (%d+)$')
    -- One further ahead than a day was written before a clock was set back.
    if owner and owner ~= token and tonumber(till) <= now + DAY then return {0, 0} end
end
for i = 6, #ARGV do
    call('SET', base .. ':lock:' .. ARGV[i], token .. ' ' .. text(now + lease_ms), 'PX', lease_ms)
    newest = math.max(newest, tonumber(call('GET', base .. ':wrote:' .. ARGV[i]) or 0))
end
return {1, newest}
