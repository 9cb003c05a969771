-- commit: does the commands that it is given, if the record has the version and the time is between two times.
--
-- KEYS: the record, then the key of each command. ARGV: the record's version, the earliest and the latest time
-- (ms), then for each command: its name, how many words follow, these words.
-- Replies OK, CHANGED or TOO_LATE, the time, and with CHANGED the record. A record begins with its version.
--
-- Redis refuses the first write of a script for want of memory, if that write may need some, but none after it:
-- the order of the commands decides whether a commit can be refused (commit.c).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('GET', KEYS[1])
if (record and string.match(record, '^%d*') or '0') ~= ARGV[1] then return {'CHANGED', time, record} end
if now < tonumber(ARGV[2]) or now > tonumber(ARGV[3]) then return {'TOO_LATE', time, false} end

local at = 4
for i = 2, #KEYS do
    local words = tonumber(ARGV[at + 1])
    redis.call(ARGV[at], KEYS[i], unpack(ARGV, at + 2, at + 1 + words))
    at = at + 2 + words
end
return {'OK', time, false}
