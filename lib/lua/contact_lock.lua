-- ARGV: ..., LINK_TTL, token, lease_ms, hashes.
local token, lease_ms, newest = ARGV[4], ARGV[5], 0
for i = 6, #ARGV do
    local owner = call('GET', base .. ':lock:' .. ARGV[i])
    if owner and owner ~= token then return {0, 0} end
end
for i = 6, #ARGV do
    call('SET', base .. ':lock:' .. ARGV[i], token, 'PX', lease_ms)
    newest = math.max(newest, tonumber(call('GET', base .. ':wrote:' .. ARGV[i]) or 0))
end
return {1, newest}
