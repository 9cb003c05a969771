-- Tests: the server's own clock cannot be shifted, so the expiry of every key comes nearer by ARGV[3] ms.
local pattern, cursor = string.gsub(base, '[%[%]%*%?\\]', '\\%0'), '0'
local done = {} -- SCAN may name a key twice
repeat
    local page = call('SCAN', cursor, 'MATCH', pattern .. '*', 'COUNT', 1000)
    cursor = page[1]
    for _, key in ipairs(page[2]) do
        local left = call('PTTL', key)
        if left >= 0 and not done[key] then call('PEXPIRE', key, left - ARGV[3]) end
        done[key] = true
    end
until cursor == '0'
return {1}
