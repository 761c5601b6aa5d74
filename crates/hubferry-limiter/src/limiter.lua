-- The limits of one scope: the rule of desk.rs, fleet.rs, day.rs, group.rs, bucket.rs, learned.rs and slots.rs for Redis, in
-- one atomic step.
--
-- KEYS     the fleet; all limits of the scope, those that are asked about first; the day if there is one. One hash tag.
-- ARGV     what to do; this server's time in microseconds (tests; empty: its clock); how many limits are asked about; how
--          many there are; terms (4); day (1 if there is one, then 6); caller (13); for every limit its rule (10) and count;
--          then what belongs to the question
--
-- Values are msgpack maps with the version of their layout. A newer one is left alone, another is taken for spent. A limit keeps
-- its bookings in three arrays, oldest first: slots (counted from `zero`), classes, permits. A worker is an array of nine.
-- Times are microseconds.
local LAYOUT = 2
-- A worker: id, newest answer acknowledged, newest sent, alone until, ticket, known since, waiting, granted, generation.
local ID, ACKED, SENT, ISLAND, TICKET, SINCE, WAITING, GRANTED, GENERATION = 1, 2, 3, 4, 5, 6, 7, 8, 9
local RULE = {'max', 'ceiling', 'others', 'slot', 'reach', 'window', 'spread', 'least_spread', 'horizon', 'burst'}
local DAY = {'start', 'stop', 'used', 'live', 'before', 'named', 'spent'}
-- So many bookings that nobody asks about again are kept before they are dropped together.
local SLACK = 24
local LIVE, RETRY, LOOKUP, REPLAY, BACKFILL, ADMIN = 0, 1, 2, 3, 4, 5
local KEPT_MS, LEAST_WAIT, LONGEST_WAIT, HOPELESS, SECOND, WHOLE = 172800000, 1000, 30000000, 1000000, 1000000, 1000
local TOLERANCE, SETTLE, SETTLING, FORGOTTEN, PERIOD, CLOCK = 500000, 500000, 250000, 60000000, 300000000, 50000
local STARVING, GONE, NEVER = 60000000, 45000000, 1000000000000
local floor, ceil, max, min

-- What belongs to the question that is being answered; set anew for each.
local keys, words, op, asked, L, cursor, rest, raw, now
local terms, has_day, day_terms, caller, rules, counts, span
local fleet, known, is_newer, is_new, limits, touched, me, day

local function take() cursor = cursor + 1; return tonumber(words[cursor]) end
local function arg(n) return tonumber(words[rest + n]) end
-- Reads a question.
local function listen(given_keys, given_words)
  keys, words = given_keys, given_words
  -- Where a library is loaded, nothing of Lua's own can be seen yet.
  floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
  op, asked, L, cursor = words[1], tonumber(words[3]), tonumber(words[4]), 4
  limits, touched, me, day, is_newer = {}, {}, nil, nil, false
  if words[2] == '' then
    local time = redis.call('TIME')
    raw = time[1] * 1000000 + time[2]
  else
    raw = tonumber(words[2])
  end
  terms = {quarantine = take(), workers = take(), ticket = take(), silent = take()}
  has_day = take() == 1
  day_terms = {covered = 0}
  if has_day then day_terms = {covered = take(), max = take(), take(), take(), take(), take()} end
  caller = {worker = take(), run = take(), epoch = take(), generation = take(), last_run = take(), raw = take(),
    seen = take(), offset = take(), era = take(), elapsed = take(), ticket = take(), island = take(), waiting = take()}
  if words[2] == '' then
    -- Who may not ask for it cannot tell one server from another.
    local info = redis.pcall('INFO', 'server')
    local id = type(info) == 'string' and string.match(info, 'run_id:(%x%x%x%x%x%x%x%x%x%x%x%x)')
    caller.run = id and tonumber(id, 16) or 0
  end
  rules, counts, span = {}, {}, 0
  for i = 1, L do
    local r = {}
    for n = 1, #RULE do r[RULE[n]] = take() end
    counts[i] = take()
    r.least_left = floor(r.slot / 4)
    r.span = r.window + r.spread + r.horizon
    span = max(span, r.span)
    rules[i] = r
  end
  rest = cursor
end

local function clamp(n, least, most) return max(least, min(most, n)) end
local function is_filler(class) return class == REPLAY or class == BACKFILL end
local function shares_ceiling(a, b) return a == b or (is_filler(a) and is_filler(b)) end
local function after(a, b) return max(0, a - b) end

-- A value of our layout, false for one of another, nil for none; and whether it is of a newer one.
local function read(key)
  local text = redis.call('GET', key)
  if not text then return nil end
  local ok, value = pcall(cmsgpack.unpack, text)
  if not ok or type(value) ~= 'table' or type(value.layout) ~= 'number' then return false end
  if value.layout ~= LAYOUT then return false, value.layout > LAYOUT end
  return value
end
local function store(key, value) redis.call('SET', key, cmsgpack.pack(value), 'PX', KEPT_MS) end

-- Limits

local function new_limit(i, since, quarantine)
  limits[i] = {layout = LAYOUT, width = rules[i].slot, zero = floor(since / rules[i].slot), slots = {}, classes = {}, counts = {},
    epoch = since, tail = 0, full = 0, share = WHOLE, since = 0, size = 0, larger = 0, agreed = 0, agreed_at = 0, ignored = 0,
    mean = 0, most = 0, before = 0, seen = 0, d_least = 0, d_most = 0, d_least_before = 0, d_most_before = 0, d_since = 0,
    paused = 0, quarantine = quarantine, granted = 0, returned = 0, wasted = 0, throttled = 0, base = 0, lost = 0, line1 = 0,
    line2 = 0, turn1 = 0, turn2 = 0, since1 = 0, asked1 = 0, since2 = 0, asked2 = 0}
  touched[i] = true
end

local function quarantine_of(r)
  if terms.quarantine == 1 then return r.window + r.spread end
  return r.span
end

-- A limit's state; false when there is none, 'spent' when there is one of another layout or of slots of another length.
local function load(i)
  if limits[i] ~= nil then return limits[i] end
  local s, newer = read(keys[1 + i])
  if newer then is_newer = true end
  if s and s.width ~= rules[i].slot then s = false end
  if not s then s = s == false and 'spent' or false end
  limits[i] = s
  return s
end

local function write_limit(i)
  local s = limits[i]
  s.reserved, s.reach, s.all, s.every, s.pace = nil, nil, nil, nil, nil
  store(keys[1 + i], s)
end

-- Begins a life of the scope when there is none; whatever is there of its limits belongs to another.
local function begin()
  fleet, is_newer = read(keys[1])
  known = fleet
  fleet = fleet or nil
  is_new = fleet == nil
  if is_newer or not is_new then return end
  fleet = {layout = LAYOUT, workers = {}, pruned = 0, epoch = raw, last = raw, offset = 0, era = 0, jumps = 0, generation = 1, run = caller.run, settle = 0,
    settled = 0, unknown = 0}
  if terms.quarantine > 0 and terms.workers > 0 then fleet.unknown = raw + terms.ticket + span end
  for i = 1, L do
    local found = load(i)
    local empty = found == false and known == nil and terms.quarantine == 0
    new_limit(i, raw, empty and 0 or raw + quarantine_of(rules[i]))
  end
end

local function complete()
  local whole = true
  for i = 1, asked do
    if type(load(i)) ~= 'table' then whole = false end
  end
  if whole then return end
  for i = 1, L do
    local found = load(i)
    if type(found) ~= 'table' then
      local empty = found == false and terms.quarantine == 0
      new_limit(i, now, empty and 0 or now + quarantine_of(rules[i]))
    end
  end
end

local function time() return max(fleet.last, raw - fleet.offset) end

local function hold_back(by)
  fleet.offset, fleet.era, fleet.jumps = fleet.offset + by, fleet.era + 1, fleet.jumps + 1
  for _, w in ipairs(fleet.workers) do w[ACKED] = after(w[ACKED], by) end
end

local function tick()
  local knows = caller.epoch == fleet.epoch and caller.seen > 0
  if knows then
    local jump, held = raw - caller.raw - caller.elapsed, fleet.offset - caller.offset
    if jump > TOLERANCE and jump - held > TOLERANCE then hold_back(jump - held) end
  end
  now = time()
  local expected = caller.seen + caller.elapsed
  if not knows then
    if now > fleet.last + TOLERANCE then
      hold_back(now - fleet.last)
      now = fleet.last
    end
  elseif caller.era == fleet.era and expected > now then
    if expected > now + TOLERANCE then
      fleet.offset = raw - expected
      fleet.jumps = fleet.jumps + 1
    end
    now = expected
  end
  fleet.last = now
end

local function is_moved(before)
  if caller.run == 0 or caller.run == fleet.run then return false end
  local is_first = fleet.run == 0
  fleet.run = caller.run
  if is_first then return false end
  fleet.generation = fleet.generation + 1
  fleet.settle, fleet.settled = now + SETTLE, now + max(span, SETTLE)
  for _, w in ipairs(fleet.workers) do
    if w[SENT] + span < now then w[GENERATION] = fleet.generation end
    w[SENT] = now
  end
  if terms.workers > 0 and now > before + floor(terms.ticket / 10) then fleet.unknown = now + terms.ticket + span end
  return true
end

local function unsettled()
  if now >= fleet.settled then return nil end
  for _, w in ipairs(fleet.workers) do
    if w[GENERATION] ~= fleet.generation then return fleet.settled end
  end
  return now < fleet.settle and fleet.settle or nil
end

-- Forgets who is gone, once a second.
local function prune()
  if now < fleet.pruned + SECOND then return end
  fleet.pruned = now
  local kept = {}
  for _, w in ipairs(fleet.workers) do
    local until_ = w[TICKET] > 0 and max(w[SENT] + terms.ticket + span, w[ISLAND]) or w[SENT] + max(FORGOTTEN, span)
    if now <= until_ then kept[#kept + 1] = w end
  end
  fleet.workers = kept
end

local function meet_caller()
  prune()
  local workers, id = fleet.workers, caller.worker
  for n = 1, #workers do
    if workers[n][ID] == id then me = workers[n] end
  end
  if not me then
    if #workers >= 256 then
      for n, w in ipairs(workers) do
        if w[TICKET] == 0 then table.remove(workers, n); break end
      end
    end
    me = {id, now, now, 0, 0, now, 0, 0, fleet.generation}
    workers[#workers + 1] = me
  end
  if caller.epoch == fleet.epoch then me[ACKED] = max(me[ACKED], min(caller.seen, now)) end
  me[SENT], me[WAITING], me[GENERATION] = now, caller.waiting, fleet.generation
  if caller.island > 0 then me[ISLAND] = max(me[ISLAND], after(now + 1, caller.island) + span) end
  if caller.ticket == 1 and me[TICKET] == 0 and now >= me[SINCE] + floor(terms.ticket / 10) then
    local holders = 0
    for _, w in ipairs(workers) do
      if w[TICKET] > 0 then holders = holders + 1 end
    end
    if holders < terms.workers then me[TICKET] = 1 end
  end
  if caller.ticket == 2 then me[TICKET] = 1 end
  return me[TICKET] > 0 and caller.ticket > 0 and terms.workers > 0
end

local function leave()
  local kept = {}
  for _, w in ipairs(fleet.workers) do
    if w[ID] == caller.worker then
      w[TICKET], w[WAITING] = 0, 0
      if w[ISLAND] > now then w[TICKET], w[SENT] = 1, 0 end
    end
    if w[ID] ~= caller.worker or w[ISLAND] > now then kept[#kept + 1] = w end
  end
  fleet.workers = kept
end

local function is_alone(w) return w[TICKET] > 0 and (now > w[ACKED] + terms.silent or now < w[ISLAND]) end

local function keep_free()
  local alone = 0
  if terms.workers > 0 then
    for _, w in ipairs(fleet.workers) do
      if is_alone(w) then alone = alone + 1 end
    end
    if now < fleet.unknown then alone = alone + after(terms.workers, #fleet.workers) end
  end
  for i = 1, L do
    local s = limits[i]
    if type(s) == 'table' then
      s.reserved = floor(rules[i].max * 8 / (10 * max(1, terms.workers))) * alone
    end
  end
end

local function waiting()
  local sum = 0
  for _, w in ipairs(fleet.workers) do
    if now < w[SENT] + 10000000 then sum = sum + w[WAITING] end
  end
  return sum
end

-- Bucket

local function ceiling(r, s)
  if s.size == 0 then return r.max end
  return min(s.size, r.ceiling)
end

local function hear(r, s, named)
  if named > 4 * r.ceiling or named * 4 < r.max then
    s.ignored = s.ignored + 1
    return
  end
  local current = ceiling(r, s)
  if named < current then
    s.size, s.agreed = named, 0
  elseif named == current then
    s.agreed = 0
  elseif current < r.ceiling and now >= s.agreed_at + r.window then
    if s.larger ~= named then s.larger, s.agreed = named, 0 end
    s.agreed, s.agreed_at = s.agreed + 1, now
    if s.agreed == 3 then s.size, s.agreed = min(named, r.ceiling), 0 end
  end
end

local function settle(r, s)
  if s.share >= WHOLE or now <= s.since then return end
  local windows = floor((now - s.since) / r.window)
  s.share = min(WHOLE, s.share + windows * 20)
  s.since = s.since + windows * r.window
end

local function left_to_others(r, s)
  local of = ceiling(r, s)
  local seen = now < s.seen + 3 * r.window and max(s.most, s.before) or 0
  if seen * 20 <= of then seen = 0 end
  return max(floor(of * r.others / 100), min(seen, floor(of * 9 / 10)))
end

local function effective(r, s)
  local ours = after(floor(ceiling(r, s) * s.share / WHOLE), left_to_others(r, s))
  return after(max(1, ours), s.reserved)
end

local function spread(r, s)
  if r.least_spread >= r.spread or s.d_most_before == 0 or now >= s.d_since + 2 * PERIOD then return r.spread end
  local least, most = min(s.d_least, s.d_least_before), max(s.d_most, s.d_most_before)
  return clamp(floor((most - least) * 5 / 4) + CLOCK, r.least_spread, r.spread)
end

local function reach(r, s) return ceil((r.window + spread(r, s)) / r.slot) end

-- Slots are counted from the one in which the limit began.
local function slot_at(r, s, at) return floor(at / r.slot) - s.zero end

-- Slots before this are not asked about again.
local function kept_from(r, s) return after(slot_at(r, s, now), r.reach + floor(SECOND / r.slot) + 1) end

local function count(s, first, last, class)
  local sum, slots = 0, s.slots
  for n = #slots, 1, -1 do
    local slot = slots[n]
    if slot < first then break end
    if slot <= last and (class == nil or s.classes[n] == class) then sum = sum + s.counts[n] end
  end
  return sum
end

local function used_by(r, s, class)
  return count(s, after(slot_at(r, s, now), r.reach), math.huge, class)
end

local function delay_seen(s, least, most)
  if most == 0 or least > most then return end
  if now >= s.d_since + PERIOD then
    local is_next = s.d_since > 0 and now < s.d_since + 2 * PERIOD
    s.d_least_before, s.d_most_before = is_next and s.d_least or 0, is_next and s.d_most or 0
    s.d_least, s.d_most, s.d_since = least, most, now
  end
  s.d_least, s.d_most = min(s.d_least, least), max(s.d_most, most)
end

local function seen(r, s, named, remaining, at)
  if remaining > named or at > now then return end
  local last = slot_at(r, s, at)
  local own = count(s, max(last - floor(r.window / r.slot), kept_from(r, s)), last)
  local used = after(named - remaining, own)
  if now < s.seen + 3 * r.window then s.mean = s.mean - floor(s.mean / 8) + used else s.mean = 8 * used end
  if now >= s.seen + r.window then
    s.before = now < s.seen + 2 * r.window and s.most or 0
    s.most, s.seen = 0, now
  end
  s.most = max(s.most, ceil(s.mean / 8))
end

local function readings(from)
  for i = 1, asked do
    local r, s, at = rules[i], limits[i], from + 5 * (i - 1)
    local named = arg(at)
    if named > 0 then
      hear(r, s, named)
      seen(r, s, named, arg(at + 1), arg(at + 2))
    end
    delay_seen(s, arg(at + 3), arg(at + 4))
  end
end

-- What does not change while a question is answered.
local function prepare(r, s, class, waits)
  s.reach, s.all = reach(r, s), effective(r, s)
  s.every = ceil((s.reach + 1) * r.slot / max(1, s.all))
  local burst = r.burst
  if s.paused > 0 and now < s.paused + r.window then
    burst = 1
  elseif is_filler(class) then
    burst = floor(r.burst / 8)
  end
  s.pace = max(burst, 1 + floor(r.least_left / s.every)) * s.every
end

local function reserve(r, s, waits)
  return clamp(floor(used_by(r, s, LIVE) * 26 / 25) + waits, floor(s.all / 10), floor(s.all * 9 / 10))
end

local function own_room(r, s, class, waits)
  local own = s.all
  if class == RETRY then
    own = floor(s.all * 3 / 10)
  elseif class == ADMIN then
    own = floor(s.all / 50)
  elseif is_filler(class) then
    own = s.all - reserve(r, s, waits)
  end
  return max(own, 1)
end

local function earliest_slot(s, from, class, cost, own)
  local slot = max(from, s.tail)
  local slots, classes, counts_, behind = s.slots, s.classes, s.counts, s.reach
  local last, all, mine, i = #slots, 0, 0, #slots + 1
  local most = s.all
  local oldest = slot - behind
  if class == LIVE or class == LOOKUP then
    -- Their ceiling is the limit itself.
    own = math.huge
    while i > 1 and slots[i - 1] >= oldest do
      i = i - 1
      all = all + counts_[i]
    end
  else
    while i > 1 and slots[i - 1] >= oldest do
      i = i - 1
      all = all + counts_[i]
      if shares_ceiling(classes[i], class) then mine = mine + counts_[i] end
    end
  end
  while all + cost > most or mine + cost > own do
    if i > last then return nil end
    slot = max(slot, slots[i] + behind + 1)
    all = all - counts_[i]
    if shares_ceiling(classes[i], class) then mine = mine - counts_[i] end
    i = i + 1
  end
  return slot
end

local function earliest(r, s, at, class, cost, waits)
  at = max(at, s.paused, s.quarantine, after(s.full + cost * s.every, s.pace))
  local from = slot_at(r, s, at + r.least_left)
  local slot = earliest_slot(s, from, class, cost, own_room(r, s, class, waits))
  return slot and max(at, (slot + s.zero) * r.slot)
end

local function find(s, slot, class)
  local slots = s.slots
  for n = #slots, 1, -1 do
    if slots[n] < slot then return nil end
    if slots[n] == slot and s.classes[n] == class then return n end
  end
  return nil
end

local function log(r, s, slot, class, cost)
  s.tail = max(s.tail, slot)
  local slots, classes, held = s.slots, s.classes, s.counts
  local found = find(s, slot, class)
  if found then
    held[found] = held[found] + cost
    return
  end
  local n = #slots + 1
  slots[n], classes[n], held[n] = slot, class, cost
  local keep = min(kept_from(r, s), s.tail)
  if n > SLACK and slots[SLACK] < keep then
    s.slots, s.classes, s.counts = {}, {}, {}
    local at = 0
    for i = SLACK + 1, n do
      if slots[i] >= keep then
        at = at + 1
        s.slots[at], s.classes[at], s.counts[at] = slots[i], classes[i], held[i]
      end
    end
  end
end

local function book(r, s, at, class, cost)
  local slot = slot_at(r, s, at)
  log(r, s, slot, class, cost)
  s.full = max(s.full, at) + cost * s.every
  s.granted = s.granted + cost
  return slot + s.zero
end

local function charge(i)
  local r, s = rules[i], limits[i]
  local lost = after(counts[i], s.base)
  if lost <= s.lost then return end
  log(r, s, slot_at(r, s, now + r.horizon), LIVE, lost - s.lost)
  s.lost = lost
  touched[i] = true
end

-- Replay and backfill that wait in vain.
local function hunger(class)
  if class == REPLAY then return 'since1', 'asked1' end
  return 'since2', 'asked2'
end

local function starves(r, s, class)
  if not is_filler(class) then return false end
  local since, last = hunger(class)
  return s[last] > 0 and now <= s[last] + GONE and now >= s[since] + STARVING
    and used_by(r, s, class) < max(1, floor(s.all / 100))
end

local function refused(s, class)
  if not is_filler(class) then return end
  local since, last = hunger(class)
  if s[last] == 0 or now > s[last] + GONE then s[since] = now end
  s[last] = now
end

-- Day

local function open_day()
  if not has_day then return end
  local value, newer = read(keys[2 + L])
  is_newer = is_newer or newer
  day = value or {layout = LAYOUT, start = 0, stop = 0, used = 0, live = 0, before = 0, named = 0, spent = 0}
end

local function turn()
  for n = 1, 3 do
    local start, stop = day_terms[n], day_terms[n + 1]
    if start <= raw and raw < stop then
      if start > day.start then
        day.before = day.stop == start and day.live or 0
        day.start, day.stop, day.used, day.live, day.spent = start, stop, 0, 0, 0
      end
      return
    end
  end
end

local function write_day() store(keys[2 + L], day) end

local function forecast()
  if day.stop == 0 or raw < day.start then return 0 end
  local left = floor(after(day.stop, raw) / SECOND)
  local gone = max(floor((raw - day.start) / SECOND), 3600)
  local length = max(floor((day.stop - day.start) / SECOND), 1)
  return max(floor(day.live * left / gone), floor(day.before * left / length))
end

local function admits(class, cost)
  if day.spent > 0 then return false end
  local most = day.named > 0 and day.named or day_terms.max
  if most == 0 then return true end
  local kept = floor(most / 200)
  if class == LOOKUP then
    kept = floor(most / 20)
  elseif is_filler(class) then
    kept = kept + floor(forecast() * 11 / 10)
  end
  return after(most, day.used) >= kept + cost
end

-- Questions

local function header(ticket)
  return {raw, now, fleet.offset, fleet.era, fleet.epoch, fleet.generation, #fleet.workers, ticket and 1 or 0,
    caller.run}
end

local function add(answer, ...)
  for n = 1, select('#', ...) do answer[#answer + 1] = (select(n, ...)) end
end

local function meet(at, latest, class, cost, waits)
  repeat
    local before = at
    for i = 1, asked do
      at = at and earliest(rules[i], limits[i], at, class, cost, waits)
    end
  until at == nil or at == before or at > latest
  return at
end

-- The grants as a list of opening times, or nil and when to ask again.
local function book_all(class, cost, lead, wanted, in_turn, waits)
  local is_starving, replay_waits, ahead = false, false, math.huge
  for i = 1, asked do
    local r, s = rules[i], limits[i]
    settle(r, s)
    prepare(r, s, class, waits)
    ahead = min(ahead, r.horizon)
    if starves(r, s, class) then is_starving = true end
    if s.asked1 > 0 and now < s.asked1 + 2 * SECOND then replay_waits = true end
  end
  if class == BACKFILL and not is_starving and replay_waits then
    for i = 1, asked do refused(limits[i], class) end
    return nil, now + SECOND / 2
  end
  if is_filler(class) and not is_starving then ahead = 0 end
  local latest = now + lead + ahead
  local at = meet(now + lead, latest, class, cost, waits)
  if at == nil then
    for i = 1, asked do refused(limits[i], class) end
    return nil, now + HOPELESS
  end
  local line, turns, stands, turn = 0, 0, nil, nil
  if class == LIVE or class == LOOKUP then
    stands, turn = 'line1', 'turn1'
  elseif is_filler(class) then
    stands, turn = 'line2', 'turn2'
  end
  if stands then
    for i = 1, asked do
      turns = max(turns, limits[i][turn])
      line = max(line, limits[i][stands], turns)
    end
  end
  local is_behind = not in_turn and line > latest and at > now + lead + floor(ahead / 2)
  if at > latest or is_behind then
    for i = 1, asked do refused(limits[i], class) end
    local place = at
    if stands and not (in_turn and is_filler(class)) then
      place = max(at, in_turn and turns or line)
      for i = 1, asked do limits[i][in_turn and turn or stands] = place + wanted * limits[i].every end
    end
    local every = 0
    for i = 1, asked do every = max(every, limits[i].every) end
    place = place + min((wanted - 1) * every, floor(ahead / 2))
    return nil, clamp(after(place, lead + ahead), now + LEAST_WAIT, now + LONGEST_WAIT)
  end
  local grants = {}
  repeat
    local closes, grant = math.huge, {at, 0}
    for i = 1, asked do
      local r = rules[i]
      closes = min(closes, (floor(at / r.slot) + 1) * r.slot)
      grant[2 + i] = book(r, limits[i], at, class, cost)
    end
    grant[2] = closes
    grants[#grants + 1] = grant
    at = #grants < wanted and meet(now + lead, latest, class, cost, waits) or nil
  until at == nil or at > latest
  if not is_starving and is_filler(class) then
    local since, last = hunger(class)
    for i = 1, asked do limits[i][since], limits[i][last] = 0, 0 end
  end
  return grants
end

local function ask(answer)
  local class, cost, lead, wanted, in_turn = arg(1), arg(2), arg(3), arg(4), arg(5) > 0
  readings(6)
  local covered = day ~= nil and day_terms.covered > 0
  local grants, again = nil, 0
  local open = unsettled()
  local admitted = true
  if not open and covered then
    turn()
    if not admits(class, cost * wanted) then
      admitted = admits(class, cost)
      wanted = 1
    end
  end
  if open then
    again = max(min(open, now + SETTLING), now + LEAST_WAIT)
  elseif not admitted then
    again = now + LONGEST_WAIT
  else
    grants, again = book_all(class, cost, lead, wanted, in_turn, is_filler(class) and waiting() or 0)
  end
  local granted = grants and #grants or 0
  me[GRANTED] = me[GRANTED] + granted * cost
  if covered then
    day.used = day.used + granted * cost
    if class == LIVE then day.live = day.live + granted * cost end
    write_day()
  end
  add(answer, granted, again or 0)
  for i = 1, asked do
    local s = limits[i]
    add(answer, s.epoch, ceiling(rules[i], s), s.granted, after(s.paused, now))
    touched[i] = true
  end
  for _, grant in ipairs(grants or {}) do
    for _, value in ipairs(grant) do answer[#answer + 1] = value end
  end
end

local function back()
  local class, generation, saved = arg(1), arg(2), false
  for i = 1, asked do
    local r, s = rules[i], limits[i]
    local slot, epoch = arg(1 + 2 * i), arg(2 + 2 * i)
    settle(r, s)
    if generation == fleet.generation and s.epoch == epoch then
      if floor(now / r.slot) > slot then
        s.wasted = s.wasted + 1
      else
        local found = find(s, slot - s.zero, class)
        if found then s.counts[found] = after(s.counts[found], 1) end
        prepare(r, s, class, 0)
        s.full = max(after(s.full, s.every), min(now, s.full))
        s.returned = s.returned + 1
        saved = true
      end
    end
    touched[i] = true
  end
  if saved and day and day_terms.covered > 0 then
    turn()
    day.used = after(day.used, 1)
    if class == LIVE then day.live = after(day.live, 1) end
    write_day()
  end
end

local function slow()
  local pause = clamp(arg(1), SECOND, 60 * SECOND)
  for i = 1, asked do
    local s = limits[i]
    settle(rules[i], s)
    if now >= s.paused then
      s.share = max(floor(s.share * 9 / 10), WHOLE / 2)
      s.since = now
      s.throttled = s.throttled + 1
    end
    s.paused = max(s.paused, now + pause)
    touched[i] = true
  end
end

local function note(answer)
  readings(1)
  for i = 1, asked do
    add(answer, ceiling(rules[i], limits[i]))
    touched[i] = true
  end
end

local function note_day()
  if not day then return end
  local named, remaining = arg(1), arg(2)
  turn()
  if named > 0 and remaining <= named then
    day.named, day.used = named, max(day.used, named - remaining)
  end
  if arg(3) > 0 then day.spent = 1 end
  write_day()
end

local function look(answer)
  local open = unsettled()
  local left, waits = open and open - now or 0, waiting()
  for i = 1, asked do
    local r, s = rules[i], limits[i]
    settle(r, s)
    prepare(r, s, LIVE, 0)
    local slot = slot_at(r, s, now)
    local closed, closed_for = 0, 0
    if s.quarantine > now then
      closed, closed_for = 2, s.quarantine - now
    elseif s.paused > now then
      closed, closed_for = 1, s.paused - now
    elseif open then
      closed, closed_for = 3, left
    end
    local at = earliest(r, s, now, LIVE, 1, 0)
    add(answer, s.all, count(s, after(slot, r.reach), slot), count(s, slot + 1, math.huge), closed, closed_for, s.granted,
      s.returned, s.wasted, s.throttled, ceiling(r, s), left_to_others(r, s), s.reserved, reserve(r, s, waits), s.lost,
      s.ignored, spread(r, s), used_by(r, s, LIVE), used_by(r, s, RETRY), used_by(r, s, LOOKUP), used_by(r, s, REPLAY),
      used_by(r, s, BACKFILL), used_by(r, s, ADMIN), at and at - now or NEVER)
  end
  add(answer, left, fleet.jumps)
  if day then
    turn()
    for _, name in ipairs(DAY) do add(answer, day[name]) end
  end
  for _, w in ipairs(fleet.workers) do
    add(answer, w[ID], w[TICKET], is_alone(w) and 1 or 0, after(now, w[SINCE]), after(now, w[ACKED]), w[WAITING], w[GRANTED])
  end
end

-- Answers a question: a script calls it at once, a library registers it.
local function run(given_keys, given_words)
  listen(given_keys, given_words)
  begin()
  open_day()
  if is_newer then return {raw, -1} end
  if op == 'look' and not is_new then
    now = time()
    complete()
    if is_newer then return {raw, -1} end
    keep_free()
    local answer = header(false)
    look(answer)
    for i in pairs(touched) do write_limit(i) end
    return answer
  end

  local before = fleet.last
  tick()
  complete()
  if is_newer then return {raw, -1} end
  if is_moved(before) then
    for i = 1, L do
      local s = load(i)
      if type(s) == 'table' then
        s.base, s.lost = s.granted, 0
        touched[i] = true
      end
    end
  end
  if caller.epoch == fleet.epoch and (caller.generation ~= fleet.generation or caller.last_run ~= fleet.run) then
    for i = 1, L do
      if type(load(i)) == 'table' then charge(i) end
    end
  end
  local ticket = false
  if op == 'leave' then leave() else ticket = meet_caller() end
  keep_free()
  local answer = header(ticket and op ~= 'look')
  if op == 'ask' then ask(answer)
  elseif op == 'back' then back()
  elseif op == 'slow' then slow()
  elseif op == 'note' then note(answer)
  elseif op == 'day' then note_day()
  elseif op == 'look' then look(answer)
  elseif op ~= 'beat' and op ~= 'leave' then return redis.error_reply('unknown question to the limiter')
  end
  for i in pairs(touched) do write_limit(i) end
  store(keys[1], fleet)
  return answer
end
