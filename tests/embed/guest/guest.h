/* SPDX-License-Identifier: MIT
 * A library that brings Lua and weft into a program that knows neither, in C alone: one for each
 * Lua. The tests open it, run its scenarios, and unload it. */
#ifndef WEFT_TEST_GUEST_H
#define WEFT_TEST_GUEST_H

struct guest;
struct lua_State;

struct guest_host {
  const char* share;           /* where weft's Lua files are */
  void (*meet)(void* context); /* called in a handler at each tenth event; or null */
  void* context;
};

/* NULL, or what was not as it should be. Each leaves no thread, descriptor or memory. */
typedef const char* guest_scenario(const struct guest_host* host);

#ifdef __cplusplus
extern "C" {
#endif
guest_scenario guest_unused; /* require "weft", and close */
guest_scenario guest_run;    /* weft.run, while threads post and enter */
guest_scenario guest_drive;  /* the same, driven by a poll loop */
guest_scenario guest_close;  /* lua_close in the midst of everything */
guest_scenario guest_fork; /* children in the midst of it, which close the state and open another */

/* For a state that the program has opened itself (weft/lua.hpp): its scripts call start(handler),
 * seen(thread, i), and at the end join(), as those of guest_run. */
struct guest* guest_prepare(const struct guest_host* host, struct lua_State* L);
/* When that is closed: the verdict. */
const char* guest_finish(struct guest* g);
#ifdef __cplusplus
}
#endif

#endif
