-- SPDX-License-Identifier: MIT
-- weft.foreign.python, .java and .node: a module in another language as a runtime. Each is foreign.load
-- of a loader (lib/weft/libweft-python.so and so on) with a configuration that says what to run; its
-- form is described in src/foreign/loader/settings.hpp.
local check = require "weft.check"

local DEFAULT_THREADS = 4

-- An option's value as a list of strings.
local function text(name, opts, key)
  if type(opts[key]) ~= "string" then check.refuse(check.option(name, key), "string", opts[key]) end
  return { opts[key] }
end
local function list(name, opts, key)
  if type(opts[key]) ~= "table" then return text(name, opts, key) end
  for _, v in ipairs(opts[key]) do
    if type(v) ~= "string" then check.refuse(check.option(name, key), "strings", v) end
  end
  return opts[key]
end
local function count(name, opts, key) return { ("%d"):format(check.integer_option(name, opts, key, 1)) } end

local languages = {
  python = { name = "Python", packages = "libpython3-dev", unit = "module",
    options = { config = text, ["function"] = text, path = list, venv = text, python = text, threads = count } },
  java = { name = "Java", packages = "default-jdk-headless", unit = "class",
    options = { config = text, ["function"] = text, classpath = list, java_home = text, flags = list,
      threads = count } },
  node = { name = "Node", packages = "nodejs", unit = "module",
    options = { config = text, ["function"] = text, path = list, node = text, flags = list } },
}
local load_options = { "max_queue", "timeout" }

local function escaped(value)
  return (value:gsub("[%z\1-\32%%\127]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- The same options give the same text, and so the same runtime.
local function settings(values)
  local keys, lines = {}, { "weft-loader" }
  for key in pairs(values) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do
    for _, value in ipairs(values[key]) do lines[#lines + 1] = key .. "=" .. escaped(value) end
  end
  return table.concat(lines, "\n") .. "\n"
end

return function(foreign, load)
  for name, language in pairs(languages) do
    local library, known = "libweft-" .. name .. ".so", {}
    for key in pairs(language.options) do known[key] = true end
    for _, key in ipairs(load_options) do known[key] = true end

    foreign[name] = function(unit, opts)
      if type(unit) ~= "string" then check.refuse(check.argument(name, 1), "string", unit) end
      opts = check.options(name, 2, opts or {}, known)
      local values, given = { [language.unit] = { unit } }, {}
      for key, read in pairs(language.options) do
        if opts[key] ~= nil then values[key] = read(name, opts, key) end
      end
      if language.options.threads and not values.threads then values.threads = { ("%d"):format(DEFAULT_THREADS) } end
      for _, key in ipairs(load_options) do given[key] = opts[key] end
      local runtime, message, code, status = load(library, settings(values), given, name .. " " .. unit)
      if runtime or code == "init failed" then return runtime, message, code, status end
      return nil, ("%s (weft's loader for %s is built where %s is installed)"):format(message, language.name,
        language.packages), code
    end
  end
end
