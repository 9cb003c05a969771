local _, _, link_ttl, id, key, created, take_over = unpack(ARGV)
local card = base .. ':card:' .. id
local owner = fields(card, 'key', 'created')
if owner.key and owner.key ~= key and
    not (take_over == '1' and tonumber(owner.created) < tonumber(created)) then
    return {0}
end
call('HSET', card, 'key', key, 'created', created)
call('PEXPIRE', card, link_ttl)
return {1}
