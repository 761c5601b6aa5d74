-- Sets the marks of one record's properties before their values are written.
--
-- KEYS     the record's marks: a hash of property to `1:TIME` or `1:TIME,PREVIOUS`
-- ARGV[1]  how long the hash is kept after its last write, in milliseconds
-- then for every value its property and its time
--
-- Answers with the positions of the values that are older than their mark, counted from zero. Running it again changes
-- nothing. Times travel as text, so that none is rounded; a value of another version counts as absent.
local stale, is_kept = {}, false
for i = 2, #ARGV, 2 do
  local property, time = ARGV[i], ARGV[i + 1]
  local stored = redis.call('HGET', KEYS[1], property)
  local mark = stored and string.match(stored, '^1:(%-?%d+)')
  if mark and tonumber(time) < tonumber(mark) then
    stale[#stale + 1] = i / 2 - 1
  else
    is_kept = true
    if mark ~= time then
      redis.call('HSET', KEYS[1], property, '1:' .. time .. (mark and ',' .. mark or ''))
    end
  end
end
if is_kept then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return stale
