-- Adds entries to a stream, all or none, if it stands where the writer believes it does.
-- KEYS: the stream. ARGV: id of the entry it has to end with (empty: it must not exist), seconds
-- until it lapses, then for each entry: id, seq, ended, size, at, correlation, events.
-- An id is `epoch-index`. Gives id, seq, ended and size of the last entry; nothing without a stream.
local function last()
  return redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
end
local found = last()
if ARGV[1] == (found and found[1] or '') then
  for i = 3, #ARGV, 7 do
    redis.call('XADD', KEYS[1], ARGV[i],
      'seq', ARGV[i + 1], 'ended', ARGV[i + 2], 'size', ARGV[i + 3],
      'at', ARGV[i + 4], 'correlation', ARGV[i + 5], 'events', ARGV[i + 6])
  end
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  found = last()
end
if not found then
  return false
end
return { found[1], found[2][2], found[2][4], found[2][6] }
