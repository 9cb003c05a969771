-- Begins the scripts that change a pause or the breaker.
local state = fields(state_key, 'paused_at', 'pause_token', 'pause_probe', 'failures', 'opened', 'open_until',
    'probe_until', 'held', 'hold_since')

-- Starts or stops the clock of the time on hold, after the change.
local function keep_held()
    local after = fields(state_key, 'paused_at', 'opened')
    if hold_of(after) ~= 0 then
        call('HSETNX', state_key, 'hold_since', text(now))
    elseif state.hold_since then
        call('HSET', state_key, 'held', text(held(state)))
        call('HDEL', state_key, 'hold_since')
    end
end
