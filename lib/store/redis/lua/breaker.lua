local FAILURES, SHORTEST, LONGEST = 5, 30000, 300000
if ARGV[3] == '1' then
    if state.failures or state.opened then
        call('HDEL', state_key, 'failures', 'opened', 'open_until', 'probe_until')
        keep_held()
    end
    return {0}
end
local failures = call('HINCRBY', state_key, 'failures', 1)
local opened, till = tonumber(state.opened or 0), tonumber(state.open_until or 0)
-- While it is open, stragglers change nothing; a failed probe doubles its time.
if (opened == 0 and failures >= FAILURES) or (opened > 0 and (till <= now or till > now + LONGEST)) then
    opened = opened + 1
    till = now + math.min(LONGEST, SHORTEST * 2 ^ math.min(opened - 1, 10))
    call('HSET', state_key, 'opened', opened, 'open_until', text(till))
    call('HDEL', state_key, 'probe_until')
    keep_held()
end
return {opened > 0 and math.max(1, till - now) or 0}
