-- ARGV: ..., LINK_TTL, token, the date of the order that wrote the contact (0 = none did), hashes.
local link_ttl, token, wrote, mine = ARGV[3], ARGV[4], tonumber(ARGV[5]), 1
for i = 6, #ARGV do
    local lock, newest = base .. ':lock:' .. ARGV[i], base .. ':wrote:' .. ARGV[i]
    local owner, till = string.match(call('GET', lock) or '', '^(%S+) (%d+)$')
    if owner == token then call('DEL', lock) end
    if owner ~= token or tonumber(till) > now + DAY then mine = 0 end
    if wrote > 0 then
        wrote = math.max(wrote, tonumber(call('GET', newest) or 0))
        call('SET', newest, text(wrote), 'PX', link_ttl)
        wrote = tonumber(ARGV[5])
    end
end
return {mine}
