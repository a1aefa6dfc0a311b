-- Latency of each request, since what delays connections does not delay the requests of one that lives: a base and an
-- exponential jitter on it, both in milliseconds.
core.register_action("delay", { "http-req" }, function(txn)
  local ms = tonumber(txn:get_var("proc.base_ms") or 0)
  local jitter = tonumber(txn:get_var("proc.jitter_ms") or 0)
  if jitter > 0 then ms = ms + math.floor(-math.log(1 - math.random()) * jitter) end
  if ms > 0 then core.msleep(ms) end
end)
