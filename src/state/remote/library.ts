/**
 * The functions that a server runs for its clients: library `rxnf1`, docs/decisions/0007-state-outside.md.
 *
 * The number is the protocol's version. `libraryRevision` grows with every change of the text that
 * keeps the protocol; a client replaces an older revision that it finds, never a newer one.
 */
export const libraryRevision = 4;

/**
 * A value is cut as 1-8 version, 9-16 deadline, 17 timer, 18 flags, 19-20 and 21-24 schema, 25- record.
 * Keys end in 16 raw bytes; what is before them, `{pp}TABLE/`, gives the names of the partition's others.
 * On a cluster those are named as well, behind the records' keys: a call that finds one of them gone to another
 * node does nothing.
 */
export const libraryText = `#!lua name=rxnf1

local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- From '{pp}TABLE/' and a sign: '!' deadlines, '?' claims, '=' how many records.
local function sibling(prefix, sign)
  return string.sub(prefix, 1, -2) .. sign
end

-- Deadlines of a call's records by timer class, as they lie in a value.
local function deadlines(now, args)
  local at, packed = {}, {}
  for class = 0, 3 do
    local idle = tonumber(args[class + 1])
    at[class] = idle > 0 and now + idle + math.floor(idle / 4) or 0
    packed[class] = struct.pack('<I8', at[class])
  end
  return at, packed
end

-- How many records the partitions of a call have, read once and written once.
local function counts()
  local known, changed = {}, {}
  return {
    get = function(prefix)
      local n = known[prefix]
      if not n then
        n = tonumber(redis.call('GET', sibling(prefix, '=')) or 0)
        known[prefix] = n
      end
      return n
    end,
    add = function(prefix, n)
      if known[prefix] then known[prefix] = known[prefix] + n end
      changed[prefix] = (changed[prefix] or 0) + n
    end,
    save = function()
      for prefix, n in pairs(changed) do
        if n ~= 0 then redis.call('INCRBY', sibling(prefix, '='), n) end
      end
    end
  }
end

-- The last call of each writer in a partition, of the 4,096 writers that began last: numbers grow. What
-- the writer has passed is performed no more: it comes late, or again.
local function performed(tag, writer)
  return tonumber(redis.call('HGET', tag .. '+', writer) or -1)
end
local function note(tag, writer, sequence)
  if redis.call('HSET', tag .. '+', writer, sequence) == 1 and redis.call('HLEN', tag .. '+') > 4096 then
    for _, known in ipairs(redis.call('HKEYS', tag .. '+')) do
      local number = tonumber(string.match(known, '^%d+'))
      if number < tonumber(string.match(writer, '^%d+')) - 4096 then redis.call('HDEL', tag .. '+', known) end
    end
  end
end

-- args: idle time of 4 timer classes in ms, capacity of a partition, writer, its number of the call,
-- 1 where the call is repeated (earlier revisions asked); then for each key
-- 1 kind (i, s, r), 2-9 expected version, 10-17 version, 18 timer, 19-25 flags and schema, 26- record.
-- Replies for each: 1 won, 0 full, nil gone, 2 performed by an earlier call and since then changed, or
-- the winner's value.
local function write(keys, args)
  local at, packed = deadlines(clock(), args)
  local capacity, writer, sequence = tonumber(args[5]), args[6], tonumber(args[7])
  local count = counts()
  local tags = {}
  local replies = {}
  for i = 1, #args - 8 do
    local key, op = keys[i], args[i + 8]
    local kind = string.sub(op, 1, 1)
    local prefix, tag = string.sub(key, 1, -17), string.sub(key, 1, 4)
    local reply = 1
    if tags[tag] == nil then
      tags[tag] = performed(tag, writer) >= sequence
      if not tags[tag] then note(tag, writer, sequence) end
    end
    if tags[tag] then
      if redis.call('GETRANGE', key, 0, 7) ~= string.sub(op, 10, 17) then reply = 2 end
    elseif kind == 'r' then
      local old = redis.call('GET', key)
      if old then
        local expected = string.sub(op, 2, 9)
        if expected == '\\0\\0\\0\\0\\0\\0\\0\\0' or expected == string.sub(old, 1, 8) then
          redis.call('DEL', key)
          redis.call('ZREM', sibling(prefix, '!'), string.sub(key, -16))
          count.add(prefix, -1)
        else
          reply = old
        end
      end
    else
      local class = string.byte(op, 18) % 4
      local version = string.sub(op, 10, 17)
      local value = version .. packed[class] .. string.sub(op, 18)
      local old
      if kind == 'i' then
        if count.get(prefix) >= capacity then
          old = redis.call('GET', key)
          if not old then reply = 0 end
        else
          old = redis.call('SET', key, value, 'NX', 'GET')
          if not old then
            count.add(prefix, 1)
            if at[class] > 0 then
              redis.call('ZADD', sibling(prefix, '!'), at[class], string.sub(key, -16))
            end
          end
        end
        if old and string.sub(old, 1, 8) ~= version then reply = old end
      else
        old = redis.call('GET', key)
        if not old then
          reply = false
        else
          local stands = string.sub(old, 1, 8)
          if stands == string.sub(op, 2, 9) then
            redis.call('SET', key, value .. string.sub(old, #value + 1))
            if at[class] > 0 then
              redis.call('ZADD', sibling(prefix, '!'), at[class], string.sub(key, -16))
            elseif string.sub(old, 9, 16) ~= packed[class] then
              redis.call('ZREM', sibling(prefix, '!'), string.sub(key, -16))
            end
          elseif stands ~= version then
            reply = old
          end
        end
      end
    end
    replies[i] = reply
  end
  count.save()
  return replies
end

-- args: idle times, then for each key the version that must stand. Replies how many did.
local function touch(keys, args)
  local at, packed = deadlines(clock(), args)
  local touched = 0
  for i = 1, #args - 4 do
    local key = keys[i]
    local head = redis.call('GETRANGE', key, 0, 16)
    if #head == 17 and string.sub(head, 1, 8) == args[i + 4] then
      local class = string.byte(head, 17) % 4
      if at[class] > 0 then
        redis.call('SETRANGE', key, 8, packed[class])
        redis.call('ZADD', sibling(string.sub(key, 1, -17), '!'), at[class], string.sub(key, -16))
        touched = touched + 1
      end
    end
  end
  return touched
end

-- While its slot moves, a record may be on the other node: there GET is an error, or, on the node that the
-- slot comes to, false. A command of two keys is an error on both, as long as one of the keys is missing.
local function is_nowhere(due, record, value)
  return value == false and type(redis.pcall('EXISTS', due, record)) == 'number'
end

-- keys: the table's deadlines, '{pp}TABLE!', of some partitions; args: how many records at the most,
-- milliseconds until a claim lapses, how many of the keys are deadlines (all, if absent). Replies members of the claimed sets: key and value.
local function claim(keys, args)
  local now, left, lapse = clock(), tonumber(args[1]), tonumber(args[2])
  local count = counts()
  local replies = {}
  for i = 1, tonumber(args[3] or #keys) do
    local due = keys[i]
    local prefix = string.sub(due, 1, -2) .. '/'
    local claimed = sibling(prefix, '?')
    local lapsed = redis.call('ZRANGEBYSCORE', claimed, '-inf', now, 'LIMIT', 0, left)
    for _, member in ipairs(lapsed) do
      redis.call('ZADD', claimed, now + lapse, member)
      replies[#replies + 1] = member
    end
    left = left - #lapsed
    if left <= 0 then break end
    local expired = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, left)
    for _, key in ipairs(expired) do
      local record = prefix .. key
      local value = redis.pcall('GET', record)
      if type(value) == 'string' then
        local member = key .. value
        redis.call('DEL', record)
        redis.call('ZADD', claimed, now + lapse, member)
        redis.call('ZREM', due, key)
        count.add(prefix, -1)
        replies[#replies + 1] = member
      elseif is_nowhere(due, record, value) then
        redis.call('ZREM', due, key)
      end
    end
    left = left - #expired
    if left <= 0 then break end
  end
  count.save()
  return replies
end

-- keys: a claimed set; args: members of it. Replies for each 1 while it is claimed, else 0.
local function claimed(keys, args)
  local replies = {}
  for i, member in ipairs(args) do
    replies[i] = redis.call('ZSCORE', keys[1], member) and 1 or 0
  end
  return replies
end

-- keys: claimed sets; args: for each a member that is dealt with.
local function confirm(keys, args)
  local removed = 0
  for i, member in ipairs(args) do
    removed = removed + redis.call('ZREM', keys[i], member)
  end
  return removed
end

-- args: for each key the record that must stand. Replies for each 1 where it was removed.
local function discard(keys, args)
  local count = counts()
  local replies = {}
  for i = 1, #args do
    local key, record = keys[i], args[i]
    local value = redis.call('GET', key)
    local removed = 0
    if value then
      local stands = string.sub(value, 25, 24 + #record)
      if stands .. string.rep('\\0', #record - #stands) == record then
        local prefix = string.sub(key, 1, -17)
        redis.call('DEL', key)
        redis.call('ZREM', sibling(prefix, '!'), string.sub(key, -16))
        count.add(prefix, -1)
        removed = 1
      end
    end
    replies[i] = removed
  end
  count.save()
  return replies
end

-- args: for each key the version that must stand; zero: any. Replies for each 1 or 0.
local function stand(keys, args)
  local replies = {}
  for i = 1, #keys do
    local stands = args[i] == '\\0\\0\\0\\0\\0\\0\\0\\0' or redis.call('GETRANGE', keys[i], 0, 7) == args[i]
    replies[i] = stands and 1 or 0
  end
  return replies
end

-- args: for each key the version that must stand. Sets flag 0, committed; replies how many stood.
local function mark(keys, args)
  local marked = 0
  for i = 1, #keys do
    local head = redis.call('GETRANGE', keys[i], 0, 17)
    if #head == 18 and string.sub(head, 1, 8) == args[i] then
      local flags = string.byte(head, 18)
      if flags % 2 == 0 then redis.call('SETRANGE', keys[i], 17, string.char(flags + 1)) end
      marked = marked + 1
    end
  end
  return marked
end

-- args: idle times, capacity of a partition, writer, offsets of the counts with a comma between, then
-- for each key 1-8 sequence, 9-16 version, 17 timer, 18-24 flags and schema, 25- record. Adds the
-- record's counts to those that are there, or creates it. Replies for each 1, or 0 where it is full.
-- A sequence that the writer has passed adds nothing.
local function add(keys, args)
  local at, packed = deadlines(clock(), args)
  local capacity, writer = tonumber(args[5]), args[6]
  local offsets = {}
  for offset in string.gmatch(args[7], '%d+') do offsets[#offsets + 1] = tonumber(offset) end
  local count = counts()
  local replies = {}
  for i = 1, #args - 7 do
    local key, op = keys[i], args[i + 7]
    local prefix, tag = string.sub(key, 1, -17), string.sub(key, 1, 4)
    local sequence = struct.unpack('<I8', op)
    replies[i] = 1
    if sequence > performed(tag, writer .. 'a') then
      local class = string.byte(op, 17) % 4
      local value = redis.call('GET', key)
      if value then
        for _, offset in ipairs(offsets) do
          local from = 25 + offset
          local sum = struct.unpack('<d', value, from) + struct.unpack('<d', op, from)
          value = string.sub(value, 1, from - 1) .. struct.pack('<d', sum) .. string.sub(value, from + 8)
        end
        redis.call('SET', key, string.sub(op, 9, 16) .. string.sub(value, 9))
      elseif count.get(prefix) >= capacity then
        replies[i] = 0
      else
        redis.call('SET', key, string.sub(op, 9, 16) .. packed[class] .. string.sub(op, 17))
        count.add(prefix, 1)
        if at[class] > 0 then
          redis.call('ZADD', sibling(prefix, '!'), at[class], string.sub(key, -16))
        end
      end
      note(tag, writer .. 'a', sequence)
    end
  end
  count.save()
  return replies
end

-- keys: a pool's returned numbers and its numbers that are out. In the latter a number gives its
-- writer and when it was leased; 'next' is the first that was never leased; 'w' or 'g' and a writer
-- give when that writer last leased or gave, by what token, and with what result.
-- args: writer, token, how many at the most, first, count. Replies numbers.
local function lease(keys, args)
  local free, out = keys[1], keys[2]
  local writer, token, want = args[1], args[2], tonumber(args[3])
  local first, size = tonumber(args[4]), tonumber(args[5])
  local now = clock()
  local last, result = string.match(redis.call('HGET', out, 'w' .. writer) or '', '^%d+ (%d+)(.*)$')
  local numbers = {}
  if last == token then
    for word in string.gmatch(result, '%d+') do numbers[#numbers + 1] = tonumber(word) end
  end
  if tonumber(last or 0) >= tonumber(token) then return numbers end
  local stamp = writer .. ':' .. now
  local next_ = tonumber(redis.call('HGET', out, 'next') or first)
  while #numbers < want and next_ < first + size do
    numbers[#numbers + 1] = next_
    next_ = next_ + 1
  end
  if #numbers > 0 then redis.call('HSET', out, 'next', next_) end
  while #numbers < want do
    local number = redis.call('LPOP', free)
    if not number then break end
    numbers[#numbers + 1] = tonumber(number)
  end
  local stamps = {}
  for i, number in ipairs(numbers) do stamps[2 * i - 1], stamps[2 * i] = number, stamp end
  if #stamps > 0 then redis.call('HSET', out, unpack(stamps)) end
  redis.call('HSET', out, 'w' .. writer, now .. ' ' .. token .. ' ' .. table.concat(numbers, ' '))
  return numbers
end

-- keys as of lease; args: writer, token, numbers. Only numbers that are out go back. Replies how many.
local function give(keys, args)
  local free, out = keys[1], keys[2]
  local field, token = 'g' .. args[1], args[2]
  local last, result = string.match(redis.call('HGET', out, field) or '', '^%d+ (%d+) (%d+)$')
  if last == token then return tonumber(result) end
  if tonumber(last or 0) > tonumber(token) then return 0 end
  local given = 0
  for i = 3, #args do
    if redis.call('HDEL', out, args[i]) == 1 then
      redis.call('RPUSH', free, args[i])
      given = given + 1
    end
  end
  redis.call('HSET', out, field, clock() .. ' ' .. token .. ' ' .. given)
  return given
end

-- keys as of lease; args: pairs of a field of the numbers that are out and its value. Those that have
-- it still are removed, and numbers among them go back. Replies how many numbers.
local function audit(keys, args)
  local returned = 0
  for i = 1, #args, 2 do
    if redis.call('HGET', keys[2], args[i]) == args[i + 1] then
      redis.call('HDEL', keys[2], args[i])
      if tonumber(args[i]) then
        redis.call('RPUSH', keys[1], args[i])
        returned = returned + 1
      end
    end
  end
  return returned
end

-- keys: a hash; args: a field, what it had (empty: nothing), what it is to have. Replies 1 where it does.
local function exchange(keys, args)
  if (redis.call('HGET', keys[1], args[1]) or '') ~= args[2] then return 0 end
  redis.call('HSET', keys[1], args[1], args[3])
  return 1
end

redis.register_function{function_name='rxnf1_revision',
  callback=function() return ${libraryRevision} end, flags={'no-writes', 'allow-stale'}}
redis.register_function{function_name='rxnf1_stand', callback=stand, flags={'no-writes'}}
redis.register_function{function_name='rxnf1_claimed', callback=claimed, flags={'no-writes'}}
redis.register_function('rxnf1_write', write)
redis.register_function{function_name='rxnf1_remove', callback=write, flags={'allow-oom'}}
redis.register_function{function_name='rxnf1_touch', callback=touch, flags={'allow-oom'}}
redis.register_function{function_name='rxnf1_claim', callback=claim, flags={'allow-oom'}}
redis.register_function{function_name='rxnf1_confirm', callback=confirm, flags={'allow-oom'}}
redis.register_function{function_name='rxnf1_discard', callback=discard, flags={'allow-oom'}}
redis.register_function{function_name='rxnf1_mark', callback=mark, flags={'allow-oom'}}
redis.register_function('rxnf1_add', add)
redis.register_function('rxnf1_lease', lease)
redis.register_function('rxnf1_exchange', exchange)
redis.register_function{function_name='rxnf1_give', callback=give, flags={'allow-oom'}}
redis.register_function{function_name='rxnf1_audit', callback=audit, flags={'allow-oom'}}
`;
