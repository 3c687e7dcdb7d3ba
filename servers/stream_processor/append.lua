-- Adds entries to streams, to each all or none, if it stands where the writer believes it does.
-- KEYS: the streams. ARGV: for each stream the seconds until it lapses, the id of the entry it has to
-- end with (empty: it must not exist) and the number of entries, then for each of these: id, seq, ended,
-- size, at, correlation, events. An id is `epoch-index`.
-- Gives for each stream 1 if the entries were added, else id, seq, ended and size of its last entry;
-- nothing if there is no such stream.
local answers, place = {}, 1
for number, key in ipairs(KEYS) do
  local seconds, after, entries = ARGV[place], ARGV[place + 1], tonumber(ARGV[place + 2])
  local found = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  local first = place + 3
  place = first + entries * 7
  if after == (found and found[1] or '') then
    for i = first, place - 1, 7 do
      redis.call('XADD', key, ARGV[i],
        'seq', ARGV[i + 1], 'ended', ARGV[i + 2], 'size', ARGV[i + 3],
        'at', ARGV[i + 4], 'correlation', ARGV[i + 5], 'events', ARGV[i + 6])
    end
    redis.call('EXPIRE', key, seconds)
    answers[number] = 1
  elseif found then
    answers[number] = { found[1], found[2][2], found[2][4], found[2][6] }
  else
    answers[number] = false
  end
end
return answers
