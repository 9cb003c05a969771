-- value: a key gets a value if the one that it has allows it, or goes. Replies 1 if that was done, and the value
-- that the key has then.
--
-- KEYS: the key. ARGV: when: 'always', 'absent', 'mine' (absent, or this value); the value; for how long: ms,
-- '0' = for ever, '-1' = it goes.
local when, value, ttl = ARGV[1], ARGV[2], ARGV[3]
local present = redis.call('GET', KEYS[1])
if present and (when == 'absent' or when == 'mine' and present ~= value) then return {0, present} end
if not present and ttl == '-1' then return {0, false} end

-- Redis never refuses DEL for want of memory, nor what a script writes after its first write.
redis.call('DEL', KEYS[1])
if ttl == '-1' then return {1, false} end
if ttl == '0' then
    redis.call('SET', KEYS[1], value)
else
    redis.call('SET', KEYS[1], value, 'PX', ttl)
end
return {1, value}
