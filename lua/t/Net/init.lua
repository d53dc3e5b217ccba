-- SPDX-License-Identifier: MIT
-- t.Net: sockets, addresses, interfaces.
return {
  Socket = require "t.Net.Socket",
  Address = require "t.Net.Address",
  Interface = require "t.Net.Interface",
}
