-- One person after another signs in. Words: how many there are; body of the request, in which `@` stands for the number of
-- the person.
local next = 0

function init(words)
  count, body = tonumber(words[1]), words[2]
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function request()
  next = (next + 1) % count
  return wrk.format(nil, nil, nil, (body:gsub("@", next)))
end
