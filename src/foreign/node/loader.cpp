// SPDX-License-Identifier: MIT
// libweft-node.so: a Node module as a foreign runtime, in a node process of its own at the other
// end of a socket pair; node/weft-node.js beside this library is what that process runs.
#include <dlfcn.h>
#include <pthread.h>

#include <exception>
#include <filesystem>
#include <memory>

#include "foreign/loader/settings.hpp"
#include "foreign/node/embedded.hpp"
#include "foreign/node/runtime.hpp"

namespace weft::node {

namespace {

std::string script() {
  Dl_info info;
  if (!::dladdr(reinterpret_cast<void*>(&script), &info)) return "";
  return std::filesystem::canonical(info.dli_fname).parent_path() / "node" / "weft-node.js";
}

/// The embedded node where it is there, unless a program or its flags are asked for.
command command_of(const loader::settings& settings) {
  const std::string_view node = loader::first_of(settings, "node");
  const auto flags = settings.find("flags");
  command c{.program = {}, .script = script()};
  if (has_embedded() && node.empty() && flags == settings.end()) return c;
  c.program.emplace_back(node.empty() ? "node" : node);
  if (flags != settings.end())
    c.program.insert(c.program.end(), flags->second.begin(), flags->second.end());
  return c;
}

void* serve(void* argument) {
  const std::unique_ptr<runtime> r(static_cast<runtime*>(argument));
  r->serve();
  return nullptr;
}

std::string start(const weft_foreign* weft, weft_queue* queue, const char* config) {
  const auto settings = loader::parse_settings(config ? config : "");
  if (!settings) return "the configuration is to come from weft.foreign.node";
  auto r = std::make_unique<runtime>(weft, queue, command_of(*settings), config);
  std::string error = r->start();
  if (!error.empty()) return error;
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, serve, r.get()) != 0) return "no thread for node";
  ::pthread_detach(thread);
  (void)r.release();
  return "";
}

}  // namespace

}  // namespace weft::node

extern "C" WEFT_FOREIGN_API int weft_foreign_init(const weft_foreign* weft, weft_queue* queue,
                                                  const char* config) {
  std::string error;
  try {
    error = weft::node::start(weft, queue, config);
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (error.empty()) return 0;
  weft->init_error(queue, error.c_str());
  return 1;
}
