local e = fields(entry_key(ARGV[3]), 'why', 'status', 'parked_at', 'attempts', 'body')
if not e.parked_at then return {} end
return {{ARGV[3], e.why or '', e.status or '', math.max(0, now - e.parked_at), tonumber(e.attempts or 0),
    e.body or false}}
