-- KEYS[1]: calls of one tool by one user, a sorted set by time in milliseconds.
-- ARGV: now (ms), a name for this call, calls a minute, calls an hour (0 is no limit).
-- Gives {0, 0} if the call is within the limits, and counts it; else the window in ms that is full
-- and the ms until there is room.
local now, minute, hour = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local windows = {{60000, minute}, {3600000, hour}}
local kept = hour > 0 and 3600000 or 60000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - kept)
for _, window in ipairs(windows) do
  local length, most = window[1], window[2]
  if most > 0 then
    local since = '(' .. (now - length)
    if redis.call('ZCOUNT', KEYS[1], since, '+inf') >= most then
      -- There is room when the oldest of the newest `most` calls has left the window.
      local oldest = redis.call('ZRANGE', KEYS[1], -most, -most, 'WITHSCORES')[2]
      return {length, math.max(1, math.ceil(tonumber(oldest) + length - now))}
    end
  end
end
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('PEXPIRE', KEYS[1], kept)
return {0, 0}
