call('HSET', state_key, 'born', text(now), 'born_run', ARGV[2], 'forgot', text(now))
return {1}
