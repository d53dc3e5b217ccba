// SPDX-License-Identifier: MIT
// The table of functions behind weft.h, and what its files share.
#pragma once

#include "lua/gate.hpp"

namespace weft::inline v0::lua {

class reply;

extern const weft_api api;

/// Pushes a userdata that answers a caller: at the latest, when it is collected, with WEFT_CLOSED.
void push_reply(lua_State* L, reply& r);

// weft_api's, in blocking.cpp, external.cpp and embed.cpp.
int api_blocking(lua_State* L, void (*work)(void*), void* arg, lua_CFunction then);
void api_leave_for(lua_State* L, void (*work)(void*), void* arg);
void api_push_function(lua_State* L, lua_CFunction f);
weft_completion* api_completion_new(lua_State* L);
int api_complete(weft_completion* c, const weft_value* values, std::size_t count);
int api_event_fd(lua_State* L);
int api_step(lua_State* L, std::int64_t timeout, std::int64_t* deadline);
int api_wait_events(lua_State* L, std::int64_t timeout);
int api_yield(lua_State* L, std::int64_t timeout);

}  // namespace weft::inline v0::lua
