-- GCRA in us: `next` is the theoretical arrival time. Beside it what GHL said: to wait until then, and how many
-- calls are left of its day.
local _, _, max_wait, interval, burst, per_day = unpack(ARGV)
local key = base .. ':pace'
local p = fields(key, 'next', 'hold_until', 'day_left', 'day_end')
local at, arrival = now, tonumber(p.next or 0)
local day_left, day_end = tonumber(p.day_left or per_day), tonumber(p.day_end or 0)

-- What lies further ahead than it can was written before a clock was stepped back.
if arrival > (now + DAY) * 1000 then arrival = 0 end
if day_end <= now or day_end > now + DAY then day_left, day_end = tonumber(per_day), now + DAY end
at = math.max(at, math.ceil((arrival - (burst - 1) * interval) / 1000))
local hold_until = tonumber(p.hold_until or 0)
if hold_until <= now + DAY then at = math.max(at, hold_until) end
if day_left <= 0 then at = math.max(at, day_end) end
local wait = at - now
if wait > tonumber(max_wait) then return {wait} end
if at >= day_end then day_left, day_end = tonumber(per_day), day_end + DAY end
call('HSET', key, 'next', text(math.max(arrival, at * 1000) + interval), 'day_left', text(day_left - 1), 'day_end',
    text(day_end))
call('PEXPIRE', key, 2 * DAY)
return {wait}
