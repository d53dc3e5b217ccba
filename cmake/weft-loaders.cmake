# SPDX-License-Identifier: MIT
# weft-loaders: the loaders of foreign languages, each a shared object of its own in lib/weft/, built
# where its language is there. They call the host through the struct of weft/foreign.h, so that they
# link neither libweft.so nor the language.
set(weft_loader_dir ${CMAKE_BINARY_DIR}/lib/weft)
file(MAKE_DIRECTORY ${weft_loader_dir})
add_custom_target(loaders)
add_dependencies(programs loaders)

# weft_add_loader(language seed_name...): lib/weft/libweft-<language>.so of src/foreign/<language>/,
# and the names by which programs for lua-resty-ffi and lua-resty-nonblocking-ffi ask for it.
function(weft_add_loader language)
  file(GLOB sources CONFIGURE_DEPENDS src/foreign/${language}/*.cpp src/foreign/loader/*.cpp)
  set(target weft-${language})
  add_library(${target} MODULE ${sources})
  target_link_libraries(${target} PRIVATE weft-flags)
  set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${weft_loader_dir})
  add_dependencies(loaders ${target})
  install(TARGETS ${target} LIBRARY DESTINATION lib/weft)
  foreach(name IN LISTS ARGN)
    file(CREATE_LINK libweft-${language}.so ${weft_loader_dir}/${name}.so SYMBOLIC)
    install(FILES ${weft_loader_dir}/${name}.so DESTINATION lib/weft)
  endforeach()
endfunction()

# ---------------------------------------------------------------- Python
pkg_check_modules(python3_embed QUIET python3-embed)
if(python3_embed_FOUND)
  weft_add_loader(python libresty_ffi_python libffi_python3 lib_nonblocking_ffi_python3)
  target_compile_definitions(weft-python PRIVATE
    WEFT_LIBPYTHON="libpython${python3_embed_VERSION}.so.1.0")  # what it looks for first
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/foreign/python/package ${weft_loader_dir}/python SYMBOLIC)
  install(DIRECTORY src/foreign/python/package/ DESTINATION lib/weft/python
    PATTERN __pycache__ EXCLUDE)
else()
  message(STATUS "Python: no python3-embed (libpython3-dev): libweft-python.so is not built")
endif()

# ---------------------------------------------------------------- Java
set(java_homes "$ENV{JAVA_HOME}" /usr/lib/jvm/default-java)
file(GLOB installed_javas /usr/lib/jvm/*)
list(APPEND java_homes ${installed_javas})
find_path(WEFT_JNI jni.h HINTS ${java_homes} PATH_SUFFIXES include NO_DEFAULT_PATH)
cmake_path(GET WEFT_JNI PARENT_PATH java_home)
find_program(WEFT_JAVAC javac HINTS ${java_home}/bin)
find_program(WEFT_JAR jar HINTS ${java_home}/bin)
if(WEFT_JNI AND WEFT_JAVAC AND WEFT_JAR)
  weft_add_loader(java libresty_ffi_java libffi_java lib_nonblocking_ffi_java)
  target_include_directories(weft-java SYSTEM PRIVATE ${WEFT_JNI} ${WEFT_JNI}/linux)
  file(GLOB java_sources CONFIGURE_DEPENDS src/foreign/java/weft/*.java src/foreign/java/resty/*.java)
  set(classes ${CMAKE_BINARY_DIR}/java)
  add_custom_command(OUTPUT ${weft_loader_dir}/weft.jar
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${classes}
    COMMAND ${WEFT_JAVAC} --release 11 -Xlint:all -d ${classes} ${java_sources}
    COMMAND ${WEFT_JAR} --create --file ${weft_loader_dir}/weft.jar -C ${classes} .
    DEPENDS ${java_sources} VERBATIM)
  add_custom_target(weft-jar ALL DEPENDS ${weft_loader_dir}/weft.jar)
  add_dependencies(loaders weft-jar)
  install(FILES ${weft_loader_dir}/weft.jar DESTINATION lib/weft)
else()
  message(STATUS "Java: no jni.h, javac and jar (default-jdk-headless): libweft-java.so is not built")
endif()

# ---------------------------------------------------------------- Node
# Embedded where libnode is installed (libnode-dev), else a child process.
find_program(WEFT_NODE node)
find_path(WEFT_LIBNODE_INCLUDE node.h PATH_SUFFIXES nodejs/src node)
find_library(WEFT_LIBNODE node)
if(WEFT_NODE OR (WEFT_LIBNODE AND WEFT_LIBNODE_INCLUDE))
  weft_add_loader(node libffi_nodejs libresty_ffi_nodejs)
  if(WEFT_LIBNODE AND WEFT_LIBNODE_INCLUDE)
    target_compile_definitions(weft-node PRIVATE WEFT_LIBNODE=1)
    cmake_path(GET WEFT_LIBNODE_INCLUDE PARENT_PATH node_headers)
    target_include_directories(weft-node SYSTEM PRIVATE ${WEFT_LIBNODE_INCLUDE}
      ${node_headers}/deps/v8/include ${node_headers}/deps/uv/include)
    target_link_libraries(weft-node PRIVATE ${WEFT_LIBNODE})
  else()
    message(STATUS "Node: no libnode (libnode-dev): modules run in a child process")
  endif()
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/foreign/node/package ${weft_loader_dir}/node SYMBOLIC)
  install(DIRECTORY src/foreign/node/package/ DESTINATION lib/weft/node)
else()
  message(STATUS "Node: no node (nodejs): libweft-node.so is not built")
endif()
