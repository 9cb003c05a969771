local e = fields(entry_key(ARGV[3]), 'why', 'trashed', 'parked_at', 'attempts', 'body')
if not e.parked_at then return {} end
return {{ARGV[3], e.why or '', flag(e.trashed), math.max(0, now - e.parked_at), tonumber(e.attempts or 0),
    e.body or false}}
