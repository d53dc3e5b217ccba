# SPDX-License-Identifier: MIT
# Foreign libraries for tests and examples, into lib/foreign of the build tree. Each language only where its
# compiler is; a sanitized build has those in C alone.
set(WEFT_FOREIGN_DIR ${CMAKE_BINARY_DIR}/lib/foreign)
find_program(WEFT_GO go HINTS /usr/local/go/bin)
find_program(WEFT_CARGO cargo HINTS $ENV{HOME}/.cargo/bin)
find_program(WEFT_RUSTC rustc HINTS $ENV{HOME}/.cargo/bin)

function(weft_foreign_language language program)
  if(NOT program)
    message(STATUS "${language}: not found, its foreign libraries are skipped")
  endif()
endfunction()
weft_foreign_language(Go "${WEFT_GO}")
weft_foreign_language(Rust "${WEFT_CARGO}")

# Sanitized like the rest; the compiler has to be the same one's then.
if(WEFT_SANITIZE)
  string(REPLACE "clang++" "clang" WEFT_CC ${CMAKE_CXX_COMPILER})
  set(WEFT_CC_FLAGS -fsanitize=${WEFT_SANITIZE})
else()
  find_program(WEFT_CC NAMES cc gcc clang)
endif()

# weft_add_foreign_c(name source [definition...])
function(weft_add_foreign_c name source)
  set(definitions ${ARGN})
  list(TRANSFORM definitions PREPEND -D)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${source})
  add_custom_command(OUTPUT ${WEFT_FOREIGN_DIR}/lib${name}.so
    COMMAND ${CMAKE_COMMAND} -E make_directory ${WEFT_FOREIGN_DIR}
    COMMAND ${WEFT_CC} -std=gnu11 -O2 -g -Wall -Wextra -shared -fPIC -pthread ${WEFT_CC_FLAGS} ${definitions}
            -I ${PROJECT_SOURCE_DIR}/include -o ${WEFT_FOREIGN_DIR}/lib${name}.so ${source}
    DEPENDS ${source} ${PROJECT_SOURCE_DIR}/include/weft/foreign.h VERBATIM)
  add_custom_target(weft-foreign-${name} ALL DEPENDS ${WEFT_FOREIGN_DIR}/lib${name}.so)
endfunction()

# A file that `command...`, run in `folder`, makes of what is in the folders after DEPENDS.
function(weft_add_foreign_command name folder)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "COMMAND;DEPENDS")
  set(sources "")
  foreach(tree ${folder} ${arg_DEPENDS})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${tree}/*.go ${tree}/*.rs ${tree}/go.mod ${tree}/Cargo.toml)
    list(APPEND sources ${found})
  endforeach()
  add_custom_command(OUTPUT ${WEFT_FOREIGN_DIR}/lib${name}.so
    COMMAND ${arg_COMMAND} WORKING_DIRECTORY ${folder} DEPENDS ${sources} VERBATIM)
  add_custom_target(weft-foreign-${name} ALL DEPENDS ${WEFT_FOREIGN_DIR}/lib${name}.so)
endfunction()

function(weft_add_foreign_go name folder)
  if(NOT WEFT_GO OR WEFT_SANITIZE)
    return()
  endif()
  weft_add_foreign_command(${name} ${folder}
    DEPENDS ${PROJECT_SOURCE_DIR}/foreign/go
    COMMAND ${WEFT_GO} build -buildmode=c-shared -o ${WEFT_FOREIGN_DIR}/lib${name}.so .)
endfunction()

# A crate may need others that cannot be fetched: no failure, but the tests say what is missing.
function(weft_add_foreign_rust name folder)
  if(NOT WEFT_CARGO OR WEFT_SANITIZE)
    return()
  endif()
  weft_add_foreign_command(${name} ${folder}
    DEPENDS ${PROJECT_SOURCE_DIR}/foreign/rust
    COMMAND sh ${PROJECT_SOURCE_DIR}/cmake/cargo.sh
            ${WEFT_CARGO} ${CMAKE_BINARY_DIR}/rust ${name} ${WEFT_FOREIGN_DIR})
endfunction()

function(weft_add_foreign_rustc name source)
  if(NOT WEFT_RUSTC OR WEFT_SANITIZE)
    return()
  endif()
  add_custom_command(OUTPUT ${WEFT_FOREIGN_DIR}/lib${name}.so
    COMMAND ${WEFT_RUSTC} -O --edition 2021 --crate-type cdylib -o ${WEFT_FOREIGN_DIR}/lib${name}.so ${source}
    DEPENDS ${source} VERBATIM)
  add_custom_target(weft-foreign-${name} ALL DEPENDS ${WEFT_FOREIGN_DIR}/lib${name}.so)
endfunction()
