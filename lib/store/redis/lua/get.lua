return {call('GET', base .. ':thing:' .. ARGV[3])}
