-- Who is in conversations: one sorted set each of `user process`, scored with when it lapses.
-- KEYS: the sets. ARGV: `enter` or `leave`, user, process, now, when the entry lapses (seconds).
-- For each set gives who was in it before and who is in it now; an entry that lapsed was in it.
local member = ARGV[2] .. ' ' .. ARGV[3]
local answer = {}
local function users(key)
  local found, seen = {}, {}
  for _, entry in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local user = string.match(entry, '^%S+')
    if not seen[user] then
      seen[user] = true
      found[#found + 1] = user
    end
  end
  return found
end
for _, key in ipairs(KEYS) do
  local before = users(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', ARGV[4])
  if ARGV[1] == 'enter' then
    redis.call('ZADD', key, ARGV[5], member)
    redis.call('EXPIRE', key, math.ceil(ARGV[5] - ARGV[4]))
  else
    redis.call('ZREM', key, member)
  end
  answer[#answer + 1] = { before, users(key) }
end
return answer
