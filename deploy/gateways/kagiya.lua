-- Asks kagiya whether to let a request through: `http-request lua.kagiya URL`. Leaves the answer in the variables txn.kagiya_….
-- Whatever goes wrong is 503: nobody is let through by an error.

local function all(headers, name)
  local values = {}
  local found = headers[name]
  if found ~= nil then
    local index = 0
    while found[index] ~= nil do
      values[#values + 1] = found[index]
      index = index + 1
    end
  end
  return values
end

local function first(headers, name)
  if headers == nil or headers[name] == nil then
    return ""
  end
  return headers[name][0] or headers[name][1] or ""
end

core.register_action("kagiya", { "http-req" }, function(txn, url)
  local set = function(name, value)
    txn:set_var("txn.kagiya_" .. name, value)
  end
  set("status", "503")
  set("retry_after", "2")
  set("body", '{"type":"about:blank","title":"Service Unavailable","status":503}')

  local headers = {
    ["x-original-method"] = { txn.sf:method() },
    ["x-original-uri"] = { txn.sf:pathq() },
    ["x-forwarded-for"] = { txn.sf:src() },
  }
  -- All of them: kagiya refuses a request with two.
  local asked = txn.http:req_get_headers()
  for _, name in ipairs({ "x-api-key", "authorization" }) do
    local values = all(asked, name)
    if #values > 0 then
      headers[name] = values
    end
  end
  local answer = core.httpclient():get { url = url, headers = headers, timeout = 6000 }
  if answer == nil or answer.status == nil or answer.status == 0 then
    return
  end
  local told = answer.headers
  set("status", tostring(answer.status))
  set("challenge", first(told, "www-authenticate"))
  set("authorization", first(told, "authorization"))
  set("key_id", first(told, "x-kagiya-key-id"))
  set("org_id", first(told, "x-kagiya-org-id"))
  set("scope", first(told, "x-kagiya-scope"))
  local retry_after = first(told, "retry-after")
  if retry_after ~= "" then
    set("retry_after", retry_after)
  end
  if answer.body ~= nil and answer.body ~= "" then
    set("body", answer.body)
  end
end, 1)
