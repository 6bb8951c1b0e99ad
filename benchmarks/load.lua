-- What wrk sends, and the one line of JSON that it prints at its end.
-- Arguments: how many requests to pipeline, how many answers to stop after (0: at the end of the time), the file whose
-- bytes to send by POST (nothing: GET without a body), then the further paths to alternate with that of the address.

function init(arguments)
  local depth, limit = tonumber(arguments[1]), tonumber(arguments[2])
  if arguments[3] ~= "" then
    local file = assert(io.open(arguments[3], "rb"))
    wrk.method, wrk.body = "POST", file:read("*a")
    file:close()
  end
  if depth > 1 or #arguments > 3 then
    local batches = { string.rep(wrk.format("GET"), depth) }
    for index = 4, #arguments do
      batches[#batches + 1] = string.rep(wrk.format("GET", arguments[index]), depth)
    end
    local turn = 0
    function request()
      turn = turn % #batches + 1
      return batches[turn]
    end
  end
  if limit > 0 then
    -- Only here, since a response callback makes wrk hand every header to Lua.
    local answers = 0
    function response()
      answers = answers + 1
      if answers == limit then
        -- Stopping this thread would leave wrk asleep until its time is over. Not by os.execute: while that waits,
        -- its process ignores the signal.
        io.popen("kill -INT $PPID")
      end
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(
    string.format(
      'JSON {"requests":%d,"duration_us":%d,"bytes":%d,"bad_statuses":%d,"timeouts":%d,"socket_errors":%d,'
        .. '"p50_us":%d,"p99_us":%d}\n',
      summary.requests, summary.duration, summary.bytes, errors.status, errors.timeout,
      errors.connect + errors.read + errors.write, latency:percentile(50), latency:percentile(99)
    )
  )
end
