-- The requests of one wrk run. By environment:
--   KEYS   file of keys, one a line, each a POST /v1/token with X-API-Key; LIMIT takes only so many of them
--   ORDER  random (default), or once: every key in turn, then stop
--   BODY, TOKEN   instead of KEYS: a POST /v1/keys with this JSON and this bearer token
local requests, turn = {}, 0
local once = os.getenv("ORDER") == "once"

function init()
  math.randomseed(os.time())
  local body = os.getenv("BODY")
  if body then
    local headers = { ["Authorization"] = "Bearer " .. os.getenv("TOKEN"), ["Content-Type"] = "application/json" }
    requests[1] = wrk.format("POST", "/v1/keys", headers, body)
    return
  end
  local limit = tonumber(os.getenv("LIMIT") or "1000000000")
  for key in io.lines(os.getenv("KEYS")) do
    if #requests >= limit then break end
    requests[#requests + 1] = wrk.format("POST", "/v1/token", { ["X-API-Key"] = key, ["Content-Length"] = "0" })
  end
end

function request()
  if not once then return requests[math.random(#requests)] end
  turn = turn + 1
  -- wrk sleeps until its time is over; an interrupt ends it early, its summary printed.
  if turn == #requests + 65 then io.popen("kill -INT $PPID"):close() end
  return requests[(turn - 1) % #requests + 1]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT rps=%.1f p50=%.0f p99=%.0f requests=%d refused=%d broken=%d\n",
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
    summary.requests, e.status, e.connect + e.read + e.write + e.timeout))
end
