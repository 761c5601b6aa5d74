-- Takes back the marks of one record's properties after their values were refused.
--
-- KEYS     the record's marks, as in mark.lua
-- ARGV     for every value its property and its time
--
-- Only a mark of exactly that time goes; the one before it stands again where it is known.
for i = 1, #ARGV, 2 do
  local property, time = ARGV[i], ARGV[i + 1]
  local stored = redis.call('HGET', KEYS[1], property)
  local mark, previous = string.match(stored or '', '^1:(%-?%d+),?(%-?%d*)$')
  if mark == time then
    if previous == '' then
      redis.call('HDEL', KEYS[1], property)
    else
      redis.call('HSET', KEYS[1], property, '1:' .. previous)
    end
  end
end
return {}
