-- Begins every script. KEYS[1] is {prefix:location}, and every key begins with it: one hash tag, one server.
-- ARGV[1] shifts the clock (tests), ARGV[2] is the run_id of the server that the caller is connected to.
local base, call = KEYS[1], redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1]
local state_key, due_key, parked_key, age_key = base .. ':state', base .. ':due', base .. ':parked', base .. ':age'
local DAY = 86400000

-- Lua's own conversion would turn large numbers into 1.7e+12.
local function text(number) return string.format('%.0f', number) end
local function flag(value) return value and value ~= '0' and value ~= '' and 1 or 0 end

-- `born` begins anew while the data stays: since when there was a shop here is kept, for what a reconcile has to read.
local function keep_first_used(born)
    if born and tonumber(born) <= now then call('HSETNX', state_key, 'first_used', text(born)) end
end

-- The time of the wish, or what makes it another number than the last one; less than 0 once it is fulfilled.
local function want_reconcile()
    local last = math.abs(call('HGET', state_key, 'reconcile') or 0)
    call('HSET', state_key, 'reconcile', text(math.max(now, last + 1)))
end

-- Is the data key in use the one of this id? See SEALING in store.h.
local function has_key(id) return (call('GET', base .. ':thing:vault/primary') or ''):sub(1, 16) == id end

-- Some fields of a hash by their names; absent ones are nil.
local function fields(key, ...)
    local names, out = {...}, {}
    for i, value in ipairs(call('HMGET', key, ...)) do out[names[i]] = value or nil end
    return out
end

-- 0 = go, 1 = paused, 2 = the breaker is open (also while it waits for a probe to succeed).
local function hold_of(state)
    if state.paused_at then return 1 end
    return state.opened and 2 or 0
end

-- How long this namespace has been on hold altogether: an order's age is measured without it.
local function held(state)
    return (state.held or 0) + (state.hold_since and math.max(0, now - state.hold_since) or 0)
end
