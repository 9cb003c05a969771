-- Begins the scripts that work on orders.
--   {..}:order:KEY  seen and link; expires LINK_TTL after its last renewal, never while there is an entry
--   {..}:entry:KEY  the current body (there if and only if `accepted` is), a waiting one, and progress
--   {..}:due        keys by due time, or by the end of their lease
--   {..}:age        the same keys by the time of their acceptance
--   {..}:parked     keys by the time of parking
local MAX_DELAY = DAY
local LEASE = {'token', 'lease_end'}
local WAITING = {'waiting_body', 'waiting_status', 'waiting_fingerprint', 'waiting_accepted', 'waiting_held'}
local ATTEMPT = {'attempt', 'attempt_note', 'attempt_at', 'attempt_watch'}
local BODY = {'body', 'status', 'fingerprint', 'accepted', 'held_at', 'attempts', 'sold', 'why', 'parked_at',
    'token', 'lease_end'}

local function order_key(key) return base .. ':order:' .. key end
local function entry_key(key) return base .. ':entry:' .. key end

-- A time further ahead than MAX_DELAY was written before a clock was stepped back.
local function in_force(entry)
    local till = entry.token and tonumber(entry.lease_end)
    return till and till > now and till <= now + MAX_DELAY or false
end

-- When the store was first used. An absent one means that the server came back empty; another run_id, that it
-- was restarted or is another server, which may lack the last writes: links may be missing in both cases.
local function born_of(state)
    if not state.born or (ARGV[2] ~= '' and state.born_run ~= ARGV[2]) then
        if state.born and state.born_run ~= '' then
            state.forgot = now
            call('HSET', state_key, 'forgot', text(now))
            want_reconcile()
        end
        keep_first_used(state.born)
        state.born, state.born_run = now, ARGV[2]
        call('HSET', state_key, 'born', text(now), 'born_run', ARGV[2])
    end
    return tonumber(state.born)
end

-- A link may be missing although GHL holds a card. A shop's clock may be ahead: an order that seems to be of after a
-- loss may be of before. 0: no date at all, after a loss.
local SLACK_S = DAY / 1000
local function before_memory(created_s, state, link_ttl)
    local second = math.floor(born_of(state) / 1000)
    if state.forgot then second = second + SLACK_S end
    return created_s < second or created_s < math.floor((now - link_ttl) / 1000)
end

-- Since the attempt was recorded, or else since it was first leased on the machine (and in the boot) that asks, by that
-- machine's clock since boot alone: whatever clock is set, and whoever asks next, an attempt does not look older than
-- it is. attempt_watch holds " boot=ms" of each machine that saw it. A machine that does not know its boot goes by `ago`.
local function attempt_age(key, e, boot, boot_ms, ago)
    if not e.attempt then return 0 end
    if boot == '' then return ago end
    local watch = e.attempt_watch or '' -- a version before this one did not write it
    local _, till = watch:find(' ' .. boot .. '=', 1, true)
    local age = till and boot_ms - watch:match('^-?%d+', till + 1)
    if age and age >= 0 then return age end
    -- One of its own that lies ahead is no boot's of this machine: then all begin anew.
    call('HSET', entry_key(key), 'attempt_watch', (till and '' or watch) .. ' ' .. boot .. '=' .. boot_ms)
    return 0
end

-- What store_entry holds, for the caller who has just leased it. with_body: false when the caller has the body.
local function leased_reply(key, state, link_ttl, with_body, boot, boot_ms)
    local e = fields(entry_key(key), 'status', 'sold', 'created', 'fingerprint', 'attempts', 'accepted',
        'held_at', unpack(ATTEMPT))
    local o = fields(order_key(key), 'contact', 'opportunity', 'gone', 'part0', 'part1', 'part2', 'part3')
    local linked = (o.opportunity or '') ~= '' or flag(o.gone) == 1
    local look = not linked and before_memory(tonumber(e.created or 0), state, link_ttl)
    local age = (now - e.accepted) - (held(state) - (e.held_at or 0))
    local ago = e.attempt_at and now - e.attempt_at or 0
    if ago < 0 then
        -- A clock was set back.
        call('HSET', entry_key(key), 'attempt_at', text(now))
        ago = 0
    end
    local attempt_age_ms = attempt_age(key, e, boot, boot_ms, ago)
    return {key, with_body and call('HGET', entry_key(key), 'body'), e.status or '', flag(e.sold),
        look and 1 or 0, e.fingerprint or '', tonumber(e.attempts or 0), math.max(0, age), o.contact or '',
        o.opportunity or '', flag(o.gone), o.part0 or '', o.part1 or '', o.part2 or '', o.part3 or '',
        tonumber(e.attempt or 0), e.attempt_note or '', attempt_age_ms, math.max(ago, attempt_age_ms),
        look and state.forgot and math.max(-1, now - state.forgot) or -1}
end

-- The key that is due first; a time further ahead than MAX_DELAY counts as due.
local function first_due()
    return call('ZRANGEBYSCORE', due_key, '-inf', text(now), 'LIMIT', 0, 1)[1] or
        call('ZRANGEBYSCORE', due_key, '(' .. text(now + MAX_DELAY), '+inf', 'LIMIT', 0, 1)[1]
end

-- Whatever no worker has, due or not: the leases in force stand among the first, as many as there are workers.
local function first_free()
    for from = 0, call('ZCARD', due_key), 32 do
        for _, key in ipairs(call('ZRANGE', due_key, from, from + 31)) do
            if not in_force(fields(entry_key(key), 'token', 'lease_end')) then return key end
        end
    end
end

local function lease(key, token, lease_ms)
    call('HSET', entry_key(key), 'token', token, 'lease_end', text(now + lease_ms))
    call('ZADD', due_key, text(now + lease_ms), key)
end

local function make_due(key, at)
    call('HDEL', entry_key(key), unpack(LEASE))
    call('ZADD', due_key, text(at), key)
end

-- The waiting body becomes the current one: fresh attempts, progress and `sold` kept. False when there is none.
local function promote(key)
    local ek = entry_key(key)
    local w = fields(ek, unpack(WAITING))
    if not w.waiting_accepted then return false end
    call('HSET', ek, 'body', w.waiting_body, 'status', w.waiting_status, 'fingerprint',
        w.waiting_fingerprint, 'accepted', w.waiting_accepted, 'held_at', w.waiting_held, 'attempts', '0')
    call('HDEL', ek, 'why', unpack(WAITING))
    call('ZADD', age_key, w.waiting_accepted, key)
    return true
end

-- The bodies go and so does the entry, but for a create whose outcome is not known: it is remembered as long
-- as a link would be.
local function forget_bodies(key, link_ttl)
    local ek = entry_key(key)
    call('HDEL', ek, unpack(BODY))
    call('HDEL', ek, unpack(WAITING))
    if call('HEXISTS', ek, 'attempt') == 1 then
        call('PEXPIRE', ek, link_ttl)
    else
        call('DEL', ek)
    end
    call('ZREM', due_key, key)
    call('ZREM', age_key, key)
    call('ZREM', parked_key, key)
    call('PEXPIRE', order_key(key), link_ttl)
end

-- Ids that were learned, by whomever: taken where there are none. 1 when another contact is there, 2 when another
-- card is, 3 when both are.
local function learn(key, link_ttl, contact, opportunity)
    local ok = order_key(key)
    local o, others = fields(ok, 'contact', 'opportunity'), 0
    local function take(name, id, bit)
        local known = o[name] or ''
        if id ~= '' and known == '' then
            call('HSET', ok, name, id)
        elseif id ~= '' and known ~= id then
            others = others + bit
        end
    end
    take('contact', contact, 1)
    take('opportunity', opportunity, 2)
    if call('HEXISTS', entry_key(key), 'accepted') == 0 then call('PEXPIRE', ok, link_ttl) end
    return others
end
