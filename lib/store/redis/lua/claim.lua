local _, _, link_ttl, key, modified, created, ago, fingerprint, hmac, body, status, creates, status_only, client,
    limit, work, lease_ms, token, expires, key_id, again, fetched, boot, boot_ms = unpack(ARGV)
local NEW, DUPLICATE, STALE, BUSY, DEFERRED, IGNORED, OTHER_KEY, LATE = 0, 1, 2, 3, 4, 5, 99, 100
ago, expires = tonumber(ago), tonumber(expires)

-- A server that hung works off what lay in its sockets. Nobody waits for this any more: the spool has the delivery,
-- and taken now it would count as newer than what came after it.
if expires > 0 and now - ARGV[1] > expires then return {LATE} end
if not has_key(key_id) then return {OTHER_KEY} end

local ok, ek = order_key(key), entry_key(key)
creates, status_only, modified, created = creates == '1', status_only == '1', tonumber(modified), tonumber(created)

local over = false
if client ~= '' and tonumber(limit) > 0 then
    local counter = base .. ':signed:' .. text(math.floor(now / DAY)) .. ':' .. client
    local count = call('INCR', counter)
    if count == 1 then call('PEXPIRE', counter, 2 * DAY) end
    over = count > tonumber(limit)
end

local state = fields(state_key, 'born', 'born_run', 'forgot', 'paused_at', 'opened', 'failures', 'heartbeat', 'held',
    'hold_since')
local o = fields(ok, 'place', 'arrived', 'fingerprint', 'ended', 'contact', 'opportunity', 'gone')
local e = fields(ek, 'accepted', 'token', 'lease_end', 'parked_at', 'attempt', 'waiting_accepted', 'created', 'sold')

-- What was read from the shop is no delivery.
ago = tonumber(ago)
local last = tonumber(call('HGET', state_key, 'delivered') or 0)
if (client ~= '' or ago > 0) and fetched ~= '1' then
    if now - ago > last then call('HSET', state_key, 'delivered', text(now - ago)) end
end
-- A month without a word, or a clock that jumped ahead, or came back: links may have expired before their time.
if (last > 0 and now - last > 30 * DAY) or tonumber(state.born or 0) > now + DAY then
    born_of(state)
    keep_first_used(state.born)
    state.born, state.born_run = now, ARGV[2]
    call('HSET', state_key, 'born', text(now), 'born_run', ARGV[2])
end

-- A state's place in time, in s because WooCommerce's times have no more: then the arrival, in ms. What comes now comes
-- after all that was seen, also when the clock was set back meanwhile.
local arrived, place = now - ago, tonumber(o.place)
if ago == 0 then arrived = math.max(arrived, tonumber(o.arrived) or 0) end
if modified ~= 0 or not place then
    place = math.floor(arrived / 1000)
    if modified ~= 0 then place = math.min(modified, place) end
end
local seen_place, seen_arrived = tonumber(o.place) or place, tonumber(o.arrived) or arrived
-- An equal second is not older, but for what was read from the shop, or comes from the spool: something newer may
-- have overtaken it. The spool's arrival is right to a second.
local slack = fetched == '1' and 0 or 1000
local older = place < seen_place or (ago > 0 and place == seen_place and arrived + slack < seen_arrived) or
    (again == '1' and place == seen_place and o.place ~= nil)
local newest = place > seen_place or (place == seen_place and arrived >= seen_arrived)

local function see_place()
    if newest then call('HSET', ok, 'place', text(place), 'arrived', text(arrived)) end
end

local function reply(result, entry)
    local heartbeat, undrained, needed = tonumber(state.heartbeat) or born_of(state), 0, 0
    -- A store that never saw a drain has none, however new it is.
    if not state.heartbeat or now - heartbeat > 60000 then
        needed = first_due() and 1 or 0
        if now - heartbeat > 600000 and first_free() then undrained = 1 end
    end
    return {result, over and 1 or 0, hold_of(state), undrained, needed, tonumber(state.failures or 0), entry}
end

local linked = (o.contact or '') ~= '' or (o.opportunity or '') ~= '' or flag(o.gone) == 1
-- Without a date it counts as of now; after a loss nobody knows.
if created == 0 then
    born_of(state)
    created = tonumber(e.created) or (state.forgot and 0 or math.floor(now / 1000))
end
local unknown = not creates and not linked and not e.attempt and not e.accepted and flag(e.sold) == 0
-- A deletion names nothing that a card could be found by.
if unknown and status_only and not o.place then
    born_of(state)
    if state.forgot and now - state.forgot < tonumber(link_ttl) then want_reconcile() end
    return reply(IGNORED)
end
if unknown and not before_memory(created, state, link_ttl) then
    -- One without a time (a deletion has none) says nothing of a sale that comes after it.
    if modified == 0 and not o.place then return reply(IGNORED) end
    if newest then
        call('HSET', ok, 'fingerprint', fingerprint, 'hmac', hmac, 'ended', status)
        if fingerprint ~= o.fingerprint then call('DEL', base .. ':idem:' .. key) end
    end
    see_place()
    if not e.parked_at then call('PEXPIRE', ok, link_ttl) end
    return reply(IGNORED)
end
if fingerprint == o.fingerprint and not (e.parked_at and not older) then
    see_place()
    if not e.accepted then call('PEXPIRE', ok, link_ttl) end
    return reply(DUPLICATE)
end
-- It was sold after all. What ended it needed nothing in GHL and is not kept, but how it ended: seen's place and
-- status. Not its fingerprint: the end is known no more, as when it comes again it brings what the sale lacks.
local instead, sold_late = '', false
if older and creates and not e.accepted and not e.attempt and (o.opportunity or '') == '' and flag(o.gone) == 0 and
    (o.ended or '') ~= '' then
    fingerprint, hmac, instead, sold_late = 'x' .. o.fingerprint:sub(2), '', o.ended, true
elseif older then
    -- The newer state that waits, whatever it is, must reach GHL.
    if creates and e.accepted and flag(e.sold) == 0 then
        call('HSET', ek, 'sold', '1')
        if e.token and not e.waiting_accepted then
            -- Whoever has it does not know: it is looked at once more.
            local c = fields(ek, 'body', 'status', 'fingerprint', 'accepted', 'held_at')
            call('HSET', ek, 'waiting_body', c.body, 'waiting_status', c.status or '', 'waiting_fingerprint',
                c.fingerprint or '', 'waiting_accepted', c.accepted, 'waiting_held', c.held_at or '0')
        end
    end
    return reply(STALE)
end

call('HSET', ok, 'fingerprint', fingerprint, 'hmac', hmac)
if not sold_late then
    call('HSET', ok, 'ended', creates and '' or status)
    see_place()
end
call('PERSIST', ok)
call('DEL', base .. ':idem:' .. key)
if e.parked_at then call('ZREM', parked_key, key) end
if creates then call('HSET', ek, 'sold', '1') end

local kept = status_only and e.accepted ~= nil
if kept then
    body = call('HGET', ek, e.waiting_accepted and 'waiting_body' or 'body')
    instead = status
end
if in_force(e) then
    call('HSET', ek, 'waiting_body', body, 'waiting_status', instead, 'waiting_fingerprint', fingerprint,
        'waiting_accepted', text(now), 'waiting_held', text(held(state)), 'created', text(created))
    return reply(BUSY)
end
call('HSET', ek, 'body', body, 'status', instead, 'fingerprint', fingerprint, 'accepted', text(now), 'held_at',
    text(held(state)), 'attempts', '0', 'created', text(created))
if e.accepted or e.parked_at or e.attempt then
    call('HDEL', ek, 'why', 'parked_at', unpack(WAITING))
    call('PERSIST', ek)
end
call('ZADD', age_key, text(now), key)
if over or hold_of(state) ~= 0 or work ~= '1' then
    make_due(key, now)
    return reply(DEFERRED)
end
lease(key, token, lease_ms)
return reply(NEW, leased_reply(key, state, link_ttl, kept, boot, boot_ms))
