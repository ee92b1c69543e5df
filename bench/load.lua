-- For wrk: sends the requests of a file in turn, and counts the answers that are not as they should be.
-- Arguments: the file (a request per line: path, cookie and body, parted by tabs), the right status.

local requests, turn, status = {}, 0, 0
wrong = 0
example = ""

function setup(thread)
  worker = thread
end

function init(args)
  status = tonumber(args[2])
  for line in io.lines(args[1]) do
    local path, cookie, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)$")
    local headers = {}
    if cookie ~= "" then headers["Cookie"] = cookie end
    if body == "" then
      table.insert(requests, wrk.format("GET", path, headers))
    else
      headers["Content-Type"] = "application/x-www-form-urlencoded"
      table.insert(requests, wrk.format("POST", path, headers, body))
    end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function response(got, headers, body)
  local is_right = got == status and (body ~= "" or headers["Location"])
  if not is_right then
    wrong = wrong + 1
    example = got
  end
end

function done(summary, latency)
  local failed = summary.errors
  print(string.format(
    '\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p95_ms": %f, "wrong": %d, "wrong_status": "%s", "broken": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    worker:get("wrong"), worker:get("example"), failed.connect + failed.read + failed.write + failed.timeout
  ))
end
