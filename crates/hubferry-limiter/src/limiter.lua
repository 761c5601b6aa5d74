-- The limits of one scope: the rule of bucket.rs, slots.rs and group.rs for Redis, in one atomic step.
--
-- KEYS     all limits of the scope, those that are asked about first; all with one hash tag
-- ARGV[1]  what to do: ask, back, slow, size, look
-- ARGV[2]  empty: this server's clock decides; else the time in microseconds (tests)
-- ARGV[3]  how many limits are asked about
-- then for every key its rule (8 numbers), then the arguments of what is to be done
--
-- A key holds one msgpack array: 18 numbers (below), then for every slot and class with bookings: slot, class, count.
-- The layout belongs to `v1` of the key's name. All times are microseconds.
local VERSION, SLOT, REACH, EPOCH, LAST, TAIL, FULL, SHARE, SINCE = 1, 2, 3, 4, 5, 6, 7, 8, 9
local LEARNED, AGREED, AGREED_AT, PAUSED, QUARANTINE = 10, 11, 12, 13, 14
local GRANTED, RETURNED, WASTED, THROTTLED, FIRST = 15, 16, 17, 18, 19
local LIVE, RETRY, LOOKUP, REPLAY, BACKFILL, ADMIN = 0, 1, 2, 3, 4, 5
local RULE, KEPT_MS = 8, 172800000
local LEAST_WAIT, HOPELESS, SECOND, WHOLE = 1000, 1000000, 1000000, 1000
local floor, max, min = math.floor, math.max, math.min

local op = ARGV[1]
local asked = tonumber(ARGV[3])
local rest = 3 + RULE * #KEYS
local now
if ARGV[2] == '' then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
else
  now = tonumber(ARGV[2])
end

local function arg(n) return tonumber(ARGV[rest + n]) end
local function clamp(n, least, most) return max(least, min(most, n)) end
local function is_filler(class) return class == REPLAY or class == BACKFILL end
local function shares_ceiling(a, b) return a == b or (is_filler(a) and is_filler(b)) end

local rules, states, is_new = {}, {}, {}

local function read(i)
  local base = 3 + RULE * (i - 1)
  local r = {}
  for n, name in ipairs({'max', 'slot', 'reach', 'window', 'spread', 'horizon', 'burst', 'fresh'}) do
    r[name] = tonumber(ARGV[base + n])
  end
  r.least_left = floor(r.slot / 4)
  local raw = redis.call('GET', KEYS[i])
  if raw then
    local ok, s = pcall(cmsgpack.unpack, raw)
    if ok and type(s) == 'table' and s[VERSION] == 1 and s[SLOT] == r.slot and s[REACH] == r.reach then
      -- Time never goes back, whatever the clock does.
      now = max(now, s[LAST])
      rules[i], states[i] = r, s
      return
    end
  end
  rules[i], is_new[i] = r, raw and 'unreadable' or 'missing'
end

local function write(i)
  local s = states[i]
  s[LAST] = now
  redis.call('SET', KEYS[i], cmsgpack.pack(s), 'PX', KEPT_MS)
end

local function begin(i)
  -- Slots of another length cannot be compared with ours: as good as lost, whatever `fresh` says.
  local r = rules[i]
  local is_known_empty = is_new[i] == 'missing' and r.fresh == 0
  local quarantine = is_known_empty and 0 or now + r.window + r.spread
  states[i] = {1, r.slot, r.reach, now, now, 0, 0, WHOLE, 0, 0, 0, 0, 0, quarantine, 0, 0, 0, 0}
  write(i)
end

for i = 1, asked do read(i) end
if next(is_new) then
  -- What has no state was lost together: whatever else is missing begins now too, not when it is first asked about.
  for i = asked + 1, #KEYS do read(i) end
  for i = 1, #KEYS do
    if is_new[i] then begin(i) end
  end
end

local function settle(r, s)
  if s[SHARE] >= WHOLE or now <= s[SINCE] then return end
  local windows = floor((now - s[SINCE]) / r.window)
  s[SHARE] = min(WHOLE, s[SHARE] + windows * 20)
  s[SINCE] = s[SINCE] + windows * r.window
end

local function ceiling(r, s)
  if s[LEARNED] == 0 then return r.max end
  return min(s[LEARNED], r.max)
end

local function effective(r, s)
  return max(1, floor(ceiling(r, s) * s[SHARE] / WHOLE))
end

local function interval(r, s)
  return math.ceil((r.reach + 1) * r.slot / effective(r, s))
end

local function count(s, first, last, class)
  local sum = 0
  for i = FIRST, #s, 3 do
    if s[i] >= first and s[i] <= last and (class == nil or s[i + 1] == class) then sum = sum + s[i + 2] end
  end
  return sum
end

local function paced(r, s, cost)
  local is_restarting = s[PAUSED] > 0 and now < s[PAUSED] + r.window
  local burst = is_restarting and 1 or r.burst
  local every = interval(r, s)
  burst = max(burst, 1 + floor(r.least_left / every))
  return max(0, s[FULL] + cost * every - burst * every)
end

local function own_room(r, s, all, class, waiting)
  local own = all
  if class == RETRY then
    own = floor(all * 3 / 10)
  elseif class == ADMIN then
    own = floor(all / 50)
  elseif is_filler(class) then
    local first = floor(now / r.slot) - r.reach
    local live = count(s, first, math.huge, LIVE)
    own = all - clamp(floor(live * 12 / 10) + waiting, floor(all / 10), floor(all * 9 / 10))
  end
  return max(own, 1)
end

local function earliest_slot(r, s, from, class, cost, all, own)
  local slot = max(from, s[TAIL])
  local i, last = FIRST, #s
  while i <= last and s[i] + r.reach < slot do i = i + 3 end
  local sum, mine = 0, 0
  for j = i, last, 3 do
    sum = sum + s[j + 2]
    if shares_ceiling(s[j + 1], class) then mine = mine + s[j + 2] end
  end
  while sum + cost > all or mine + cost > own do
    if i > last then return nil end
    slot = max(slot, s[i] + r.reach + 1)
    sum = sum - s[i + 2]
    if shares_ceiling(s[i + 1], class) then mine = mine - s[i + 2] end
    i = i + 3
  end
  return slot
end

local function earliest(r, s, at, class, cost, waiting)
  at = max(at, s[PAUSED], s[QUARANTINE], paced(r, s, cost))
  local from = floor((at + r.least_left) / r.slot)
  local all = effective(r, s)
  local slot = earliest_slot(r, s, from, class, cost, all, own_room(r, s, all, class, waiting))
  return slot and max(at, slot * r.slot)
end

local function find(s, slot, class)
  local i = #s - 2
  while i >= FIRST and s[i] >= slot do
    if s[i] == slot and s[i + 1] == class then return i end
    i = i - 3
  end
  return nil
end

local function book(i, at, class, cost)
  local r, s = rules[i], states[i]
  local slot = floor(at / r.slot)
  s[TAIL] = max(s[TAIL], slot)
  local found = find(s, slot, class)
  if found then
    s[found + 2] = s[found + 2] + cost
  else
    local n = #s
    s[n + 1], s[n + 2], s[n + 3] = slot, class, cost
  end
  s[FULL] = max(s[FULL], at) + cost * interval(r, s)
  s[GRANTED] = s[GRANTED] + cost
  local keep, last = FIRST, #s
  while keep <= last and s[keep] + r.reach < s[TAIL] do keep = keep + 3 end
  if keep > FIRST then
    local kept = {}
    for n = 1, FIRST - 1 do kept[n] = s[n] end
    for n = keep, last do kept[FIRST + n - keep] = s[n] end
    states[i] = kept
  end
  return slot
end

local function ask()
  local class, cost, lead, waiting = arg(1), arg(2), arg(3), arg(4)
  local ahead = math.huge
  for i = 1, asked do
    settle(rules[i], states[i])
    ahead = min(ahead, rules[i].horizon)
  end
  if is_filler(class) then ahead = 0 end
  local latest = now + lead + ahead
  local at, before = now + lead, nil
  repeat
    before = at
    for i = 1, asked do
      at = at and earliest(rules[i], states[i], at, class, cost, waiting)
    end
  until at == nil or at == before or at > latest
  if at == nil or at > latest then
    local again = at and max(at - lead - ahead, now + LEAST_WAIT) or now + HOPELESS
    return {now, 0, again}
  end
  local closes = math.huge
  local answer = {now, 1, at, closes}
  for i = 1, asked do
    closes = min(closes, (floor(at / rules[i].slot) + 1) * rules[i].slot)
    local slot = book(i, at, class, cost)
    write(i)
    local n = #answer
    answer[n + 1], answer[n + 2], answer[n + 3] = slot, states[i][EPOCH], ceiling(rules[i], states[i])
  end
  answer[4] = closes
  return answer
end

local function back()
  local class = arg(1)
  for i = 1, asked do
    local r, s = rules[i], states[i]
    local slot, epoch = arg(2 * i), arg(2 * i + 1)
    if s[EPOCH] == epoch then
      settle(r, s)
      if floor(now / r.slot) > slot then
        s[WASTED] = s[WASTED] + 1
      else
        local found = find(s, slot, class)
        if found then s[found + 2] = max(0, s[found + 2] - 1) end
        s[FULL] = max(s[FULL] - interval(r, s), min(now, s[FULL]))
        s[RETURNED] = s[RETURNED] + 1
      end
      write(i)
    end
  end
  return {now}
end

local function slow()
  local pause = clamp(arg(1), SECOND, 60 * SECOND)
  for i = 1, asked do
    local s = states[i]
    settle(rules[i], s)
    if now >= s[PAUSED] then
      s[SHARE] = max(floor(s[SHARE] * 9 / 10), WHOLE / 2)
      s[SINCE] = now
      s[THROTTLED] = s[THROTTLED] + 1
    end
    s[PAUSED] = max(s[PAUSED], now + pause)
    write(i)
  end
  return {now}
end

local function size()
  local named = arg(1)
  local answer = {now}
  for i = 1, asked do
    local r, s = rules[i], states[i]
    if named > 0 and named <= 4 * r.max and named * 4 >= r.max then
      local current = ceiling(r, s)
      if named < current then
        s[LEARNED], s[AGREED] = named, 0
      elseif named == current then
        s[AGREED] = 0
      elseif current < r.max and now >= s[AGREED_AT] + r.window then
        s[AGREED], s[AGREED_AT] = s[AGREED] + 1, now
        if s[AGREED] == 3 then
          s[LEARNED], s[AGREED] = named < r.max and named or 0, 0
        end
      end
      write(i)
    end
    answer[i + 1] = ceiling(r, s)
  end
  return answer
end

local function look()
  local answer = {now}
  for i = 1, asked do
    local r, s = rules[i], states[i]
    settle(r, s)
    local slot = floor(now / r.slot)
    local closed, closed_for = 0, 0
    if s[QUARANTINE] > now then
      closed, closed_for = 2, s[QUARANTINE] - now
    elseif s[PAUSED] > now then
      closed, closed_for = 1, s[PAUSED] - now
    end
    for _, value in ipairs({
      effective(r, s), count(s, slot - r.reach, slot), count(s, slot + 1, math.huge), closed, closed_for,
      s[GRANTED], s[RETURNED], s[WASTED], s[THROTTLED],
    }) do answer[#answer + 1] = value end
  end
  return answer
end

if op == 'ask' then return ask() end
if op == 'back' then return back() end
if op == 'slow' then return slow() end
if op == 'size' then return size() end
if op == 'look' then return look() end
return redis.error_reply('unknown operation of the limiter')
