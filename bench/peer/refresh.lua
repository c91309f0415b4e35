-- Every request uses the refresh token that an answer before it gave out. Words: a file name, to which the number of the
-- thread is added, with one token of a family of its own in each line; Authorization.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(words)
  wrk.method = "POST"
  wrk.headers["Authorization"] = words[2]
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
  tokens = {}
  for line in io.lines(words[1] .. number) do
    tokens[#tokens + 1] = line
  end
end

function request()
  -- Each connection waits for its answer before it asks again, so there is always one.
  local token = table.remove(tokens)
  return wrk.format(nil, nil, nil, "grant_type=refresh_token&refresh_token=" .. token)
end

function response(status, _, body)
  local token = body:match('"refresh_token":"([^"]+)"')
  if status == 200 and token then
    tokens[#tokens + 1] = token
  end
end
