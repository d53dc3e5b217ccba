# SPDX-License-Identifier: MIT
# weft-flags: what every source of ours is compiled and linked with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# The build tree is laid out as an installation, so the run paths need no relinking.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
# A changed libweft.so relinks nothing that only loads it.
set(CMAKE_LINK_DEPENDS_NO_SHARED ON)
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g -fno-omit-frame-pointer")

find_program(WEFT_CCACHE ccache)
if(WEFT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEFT_CCACHE})
endif()

include(CheckPIESupported)
check_pie_supported()
find_package(Threads REQUIRED)

add_library(weft-flags INTERFACE)
target_include_directories(weft-flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(weft-flags INTERFACE
  WEFT_VERSION="${PROJECT_VERSION}" $<$<BOOL:${WEFT_CHAOS}>:WEFT_CHAOS=1>)
target_compile_options(weft-flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion $<$<BOOL:${WEFT_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:-foptimize-sibling-calls>)
target_link_options(weft-flags INTERFACE -Wl,--as-needed)
target_link_libraries(weft-flags INTERFACE Threads::Threads ${CMAKE_DL_LIBS})

if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  find_program(WEFT_LLD NAMES ld.lld ld.lld-19 HINTS /usr/lib/llvm-19/bin)
  if(WEFT_LLD)
    add_link_options(-fuse-ld=lld)
  endif()
endif()
if(WEFT_SANITIZE)
  # For every target, googletest too. The executables hold the sanitizer and export its symbols;
  # libweft.so and the modules find them there.
  add_compile_options(-fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()

find_package(PkgConfig REQUIRED)
option(WEFT_URING "Build the io_uring backend where liburing 2.3 or newer is" ON)
if(WEFT_URING)
  pkg_check_modules(liburing IMPORTED_TARGET liburing>=2.3)
endif()
if(liburing_FOUND)
  target_link_libraries(weft-flags INTERFACE PkgConfig::liburing)
  target_compile_definitions(weft-flags INTERFACE WEFT_HAS_LIBURING=1)
else()
  message(STATUS "liburing 2.3 or newer: not found or not wanted, the default backend is epoll")
endif()

option(WEFT_LIBKQUEUE "Build the kqueue backend too where libkqueue is, an emulation of it" OFF)
if(WEFT_LIBKQUEUE)
  pkg_check_modules(libkqueue IMPORTED_TARGET libkqueue)
  if(libkqueue_FOUND)
    target_link_libraries(weft-flags INTERFACE PkgConfig::libkqueue)
  endif()
endif()
