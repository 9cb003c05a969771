-- Replies {1, entry} or {0, ms until the next is due or -1, hold} or {2}: another data key.
local _, _, link_ttl, lease_ms, only, token, key_id, boot, boot_ms = unpack(ARGV)
if not has_key(key_id) then return {2} end
local state = fields(state_key, 'born', 'born_run', 'forgot', 'paused_at', 'opened', 'held', 'hold_since')

if only ~= '' then
    local e = fields(entry_key(only), 'accepted', 'token', 'lease_end')
    if not call('ZSCORE', due_key, only) or not e.accepted or in_force(e) then return {0, -1, 0} end
    if e.token then promote(only) end
    lease(only, token, lease_ms)
    return {1, leased_reply(only, state, link_ttl, true, boot, boot_ms)}
end

while true do
    local key = first_due()
    if not key then break end
    if hold_of(state) ~= 0 then return {0, 0, hold_of(state)} end
    local e = fields(entry_key(key), 'accepted', 'token')
    if e.accepted then
        if e.token then promote(key) end
        lease(key, token, lease_ms)
        return {1, leased_reply(key, state, link_ttl, true, boot, boot_ms)}
    end
    -- Redis was made to evict it (maxmemory-policy): there is nothing left to work on.
    call('ZREM', due_key, key)
    call('ZREM', age_key, key)
end
local next = call('ZRANGE', due_key, 0, 0, 'WITHSCORES')[2]
return {0, next and math.max(0, next - now) or -1, 0}
