call('HSET', state_key, 'heartbeat', text(now))
return {1}
