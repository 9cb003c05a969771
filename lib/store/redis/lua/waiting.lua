return call('ZRANGE', due_key, 0, -1)
