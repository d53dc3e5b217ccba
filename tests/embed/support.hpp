// SPDX-License-Identifier: MIT
// What the tests of Lua states in C++ programs share: a runtime, and the Lua that is the parameter.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include "task/support.hpp"
#include "weft/lua.hpp"
#include "weft/weft.hpp"

/// WEFT_TEST_LUAS: "lua5.4 luajit ...".
inline std::vector<std::string> lua_names() {
  std::vector<std::string> names;
  std::string name;
  for (const char c : std::string(WEFT_TEST_LUAS) + " ")
    if (c != ' ')
      name += c;
    else if (!name.empty())
      names.push_back(std::exchange(name, std::string()));
  return names;
}

class LuaTest : public ::testing::TestWithParam<std::tuple<std::string, unsigned>> {
 protected:
  static std::string lua_name() { return std::get<0>(GetParam()); }
  static weft::runtime_options runtime_options() {
    weft::runtime_options o;
    o.workers = std::get<1>(GetParam());
    return o;
  }
  static weft::lua_options options() {
    weft::lua_options o;
    o.lua = lua_name();
    return o;
  }
  template <class T>
  T run(weft::task<T> t) {
    return rt.block_on(std::move(t));
  }

  weft::runtime rt{runtime_options()};
  weft::lua_state lua{rt, options()};
};

inline std::string parameter_name(
    const ::testing::TestParamInfo<std::tuple<std::string, unsigned>>& info) {
  std::string name = std::get<0>(info.param) + "_" + std::to_string(std::get<1>(info.param));
  std::erase(name, '.');
  return name;
}

#define WEFT_WITH_EACH_LUA(suite)                                                      \
  INSTANTIATE_TEST_SUITE_P(                                                            \
      Luas, suite,                                                                     \
      ::testing::Combine(::testing::ValuesIn(lua_names()), ::testing::Values(1U, 2U)), \
      parameter_name)
