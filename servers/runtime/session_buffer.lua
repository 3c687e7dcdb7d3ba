-- Writes messages, then cuts off the oldest that are beyond the bounds. ARGV: most messages, most
-- bytes, seconds to keep them, then sequence and bytes of each message. One that was written before
-- in other bytes would stand beside itself, so its place is emptied first.
for i = 4, #ARGV, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i])
  redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1])
end
local bytes = 0
for i, member in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, -1)) do
  bytes = bytes + #member
  if i > tonumber(ARGV[1]) or bytes > tonumber(ARGV[2]) then
    redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -i)
    break
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
