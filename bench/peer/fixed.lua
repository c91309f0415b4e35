-- One request over and over. Words: method, Authorization, body.
function init(words)
  wrk.method = words[1] or "GET"
  if words[2] and words[2] ~= "" then wrk.headers["Authorization"] = words[2] end
  if words[3] then
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    wrk.body = words[3]
  end
end
