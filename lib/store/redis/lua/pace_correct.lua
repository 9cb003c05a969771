local _, _, hold, window_left, window, sign, shared_ms, day_left, day_reset = unpack(ARGV)
local key = base .. ':pace'
local p = fields(key, 'hold_until', 'day_left', 'day_end', 'shared_until')

-- What is left only sinks, until the end of its window.
local function lower(name, left, span)
    local known, till = tonumber(p[name .. '_left'] or 0), tonumber(p[name .. '_end'] or 0)
    left, span = tonumber(left), math.min(tonumber(span), DAY)
    if left < 0 then return end
    if till > now and till <= now + DAY then
        left = math.min(left, known)
        if name == 'day' and span > 0 then till = now + span end
    else
        till = now + span
    end
    call('HSET', key, name .. '_left', text(left), name .. '_end', text(till))
end

-- GHL's window slides: in a steady run at its rate hardly anything is ever left, which means nothing unless others
-- use the limit, too, or nothing at all is left. Then a short wait that grows as less is left.
local shared = tonumber(p.shared_until or 0)
if sign == '1' then
    shared = now + shared_ms
    call('HSET', key, 'shared_until', text(shared))
end
window_left, window = tonumber(window_left), tonumber(window)
if shared <= now or shared > now + shared_ms then shared = nil end
if (shared and window_left > 0 or window_left == 0) and window > 0 then
    hold = math.max(tonumber(hold), math.floor(math.min(window, DAY) / 10 / (window_left + 1)))
end
if tonumber(hold) > 0 then
    local till = now + math.min(tonumber(hold), DAY)
    local known = tonumber(p.hold_until or 0)
    if known <= now + DAY then till = math.max(till, known) end
    call('HSET', key, 'hold_until', text(till))
end
lower('day', day_left, tonumber(day_reset) > 0 and day_reset or DAY)
call('PEXPIRE', key, 2 * DAY)
return {1}
