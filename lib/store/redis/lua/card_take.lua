local _, _, link_ttl, id, key, created, how = unpack(ARGV)
local card = base .. ':card:' .. id
local owner = fields(card, 'key', 'created')
if owner.key and owner.key ~= key and
    not (how == '1' and tonumber(owner.created) <= tonumber(created)) then
    return {0}
end
if owner.key == key then created = owner.created end -- an order of unknown date gets no newer by its states
if how == '2' then return {1} end -- only looked at
call('HSET', card, 'key', key, 'created', created)
call('PEXPIRE', card, link_ttl)
return {1}
