local LEASE, PAUSE_EVERY, LONGEST = 30000, 60000, 300000
if ARGV[3] == '1' then
    local last = tonumber(state.pause_probe or state.paused_at)
    if not last or (now - last < PAUSE_EVERY and last <= now) then return {0} end
    call('HSET', state_key, 'pause_probe', text(now))
    return {1}
end
local till, mine_until = tonumber(state.open_until or 0), tonumber(state.probe_until or 0)
if not state.opened or (till > now and till <= now + LONGEST) or
    (mine_until > now and mine_until <= now + LEASE) then
    return {0}
end
call('HSET', state_key, 'probe_until', text(now + LEASE))
return {1}
