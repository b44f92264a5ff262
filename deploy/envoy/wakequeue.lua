-- Tells wakequeue of each request, as POST /wake/NAMESPACE/REVISION, and waits for nothing.

-- The cluster of the front's HTTP port, and the token that it asks for, if any.
local CLUSTER = "wakequeue"
local TOKEN = ""

-- The request's header -> the header in which the front is told of it.
local TOLD = {
  [":method"] = "x-wakequeue-method",
  [":path"] = "x-wakequeue-path",
  [":authority"] = "x-wakequeue-host",
  ["user-agent"] = "x-wakequeue-user-agent",
  ["k-network-probe"] = "k-network-probe",
  ["k-kubelet-probe"] = "k-kubelet-probe",
}

function envoy_on_request(handle)
  -- The Revision is the route's. What a client sends as a header names none.
  local route = handle:metadata()
  local namespace, revision = route:get("namespace"), route:get("revision")
  if namespace == nil or revision == nil then
    return
  end
  local headers = {
    [":method"] = "POST",
    [":path"] = "/wake/" .. namespace .. "/" .. revision,
    [":authority"] = CLUSTER,
  }
  if TOKEN ~= "" then
    headers["authorization"] = "Bearer " .. TOKEN
  end
  for from, to in pairs(TOLD) do
    headers[to] = handle:headers():get(from)
  end
  -- The last argument makes it asynchronous: the request goes on at once, and an answer, late or never, changes nothing.
  handle:httpCall(CLUSTER, headers, "", 1000, true)
end
