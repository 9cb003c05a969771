local key = ARGV[3]
local o = fields(order_key(key), 'contact', 'opportunity', 'gone', 'part0', 'part1', 'part2', 'part3', 'fingerprint')
local e = fields(entry_key(key), 'accepted', 'parked_at', 'token', 'lease_end', 'waiting_accepted', 'why')
if not next(o) and not next(e) then return {} end
local due = call('ZSCORE', due_key, key)
return {o.contact or '', o.opportunity or '', flag(o.gone), o.part0 or '', o.part1 or '', o.part2 or '',
    o.part3 or '', e.accepted and not e.parked_at and 1 or 0, in_force(e) and 1 or 0, e.parked_at and 1 or 0,
    e.waiting_accepted and 1 or 0, call('EXISTS', base .. ':idem:' .. key), o.fingerprint or '', e.why or '',
    due and math.max(0, due - now) or 0}
