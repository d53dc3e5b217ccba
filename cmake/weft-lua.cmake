# SPDX-License-Identifier: MIT
# Finds the Luas installed, of those in WEFT_LUAS, and builds the module and the executable for one of them.
#   WEFT_LUA_MODULES      lua5.1 lua5.4 ...: a module each; LuaJIT uses lua5.1's
#   WEFT_LUA_EXECUTABLES  the same and luajit
set(WEFT_LUAS lua5.1 lua5.2 lua5.3 lua5.4 lua5.5 luajit CACHE STRING "Luas to build for, where they are installed")
find_package(PkgConfig REQUIRED)
set(WEFT_LUA_MODULES "")
set(WEFT_LUA_EXECUTABLES "")
foreach(lua IN LISTS WEFT_LUAS)
  pkg_check_modules(${lua} QUIET IMPORTED_TARGET ${lua})
  if(${lua}_FOUND)
    message(STATUS "${lua}: ${${lua}_VERSION}")
    list(APPEND WEFT_LUA_EXECUTABLES ${lua})
    if(NOT lua STREQUAL luajit)
      list(APPEND WEFT_LUA_MODULES ${lua})
    endif()
  else()
    message(STATUS "${lua}: not found, skipped")
  endif()
endforeach()
# Configure again when packages come or go.
if(EXISTS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/pkgconfig)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/pkgconfig)
endif()

# lib/lua/5.4/weft/core.so: luaopen_weft_core. lua_* stay undefined: the interpreter has them.
function(weft_add_lua_module lua)
  string(REPLACE lua "" version ${lua})
  set(target weft-module-${lua})
  add_library(${target}-objects OBJECT ${ARGN})
  target_include_directories(${target}-objects SYSTEM PRIVATE ${${lua}_INCLUDE_DIRS})
  target_link_libraries(${target}-objects PRIVATE weft-flags)
  if(WEFT_SANITIZE STREQUAL thread)
    # TSan keeps a stack of its own, which liblua's longjmp (of each error and yield) does not unwind.
    target_compile_options(${target}-objects PRIVATE "SHELL:-mllvm -tsan-instrument-func-entry-exit=0")
  endif()
  add_library(${target} MODULE $<TARGET_OBJECTS:${target}-objects>)
  target_link_libraries(${target} PRIVATE weft weft-flags)
  # Never unloaded: threads and exit handlers may still run its code.
  target_link_options(${target} PRIVATE -Wl,-z,nodelete)
  set_target_properties(${target} PROPERTIES
    LINKER_LANGUAGE CXX PREFIX "" OUTPUT_NAME core INSTALL_RPATH "$ORIGIN/../../.."
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/lua/${version}/weft)
  install(TARGETS ${target} LIBRARY DESTINATION lib/lua/${version}/weft)
endfunction()

# lib/libweft-lua5.4.so: the same objects, linked with that liblua, for C++ programs that open states
# (weft/lua.hpp). LuaJIT's has the objects of lua5.1. Target weft::lua54 and so on.
function(weft_add_lua_host lua objects)
  string(REPLACE "." "" name ${lua})
  set(target weft-host-${lua})
  add_library(${target} SHARED $<TARGET_OBJECTS:${objects}>)
  add_library(weft::${name} ALIAS ${target})
  target_link_libraries(${target} PUBLIC weft PRIVATE weft-flags PkgConfig::${lua})
  target_link_options(${target} PRIVATE -Wl,-z,nodelete)
  set_target_properties(${target} PROPERTIES
    LINKER_LANGUAGE CXX OUTPUT_NAME weft-${lua} EXPORT_NAME ${name} INSTALL_RPATH "$ORIGIN"
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
  install(TARGETS ${target} EXPORT weft LIBRARY DESTINATION lib)
endfunction()

# libexec/weft/weft-lua5.4: an interpreter linked with its liblua; it loads the module as any does.
function(weft_add_lua_executable lua)
  set(target weft-${lua})
  add_executable(${target} ${ARGN})
  target_include_directories(${target} SYSTEM PRIVATE ${${lua}_INCLUDE_DIRS})
  target_compile_definitions(${target} PRIVATE WEFT_LUA_NAME="${lua}")
  target_link_libraries(${target} PRIVATE weft weft-flags PkgConfig::${lua})
  set_target_properties(${target} PROPERTIES
    INSTALL_RPATH "$ORIGIN/../../lib" RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/libexec/weft)
  install(TARGETS ${target} RUNTIME DESTINATION libexec/weft)
endfunction()
