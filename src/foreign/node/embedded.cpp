// SPDX-License-Identifier: MIT
#include "foreign/node/embedded.hpp"

#if WEFT_LIBNODE

#include <node.h>

#include <memory>
#include <mutex>
#include <vector>

#include "foreign/node/residents.hpp"

namespace weft::node {

namespace {

/// No signal handler, and the descriptors 0 to 2 as they are.
::node::InitializationResult* start_node() {
  watch_exit();
  ::node::InitializationResult* const started =
      ::node::InitializeOncePerProcess(
          {"node"}, {::node::ProcessInitializationFlags::kNoStdioInitialization,
                     ::node::ProcessInitializationFlags::kNoDefaultSignalHandling})
          .release();
  if (!started->early_return()) node_has_started();
  watch_exit();
  return started;
}

/// V8 and Node, once for the process, until it exits. Null: they do not start.
::node::MultiIsolatePlatform* platform() {
  static constinit std::mutex mutex;
  static constinit ::node::InitializationResult* started = nullptr;
  const std::lock_guard guard(mutex);
  if (!started) started = start_node();
  return started->early_return() ? nullptr : started->platform();
}

/// process.exit() ends the environment, not the process.
void on_exit(::node::Environment* env, int) { ::node::Stop(env); }

std::string quoted(const std::string& text) {
  std::string all = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') all += '\\';
    all += c;
  }
  return all + "'";
}

std::string run(::node::CommonEnvironmentSetup& setup, int socket, const std::string& script) {
  v8::Isolate* isolate = setup.isolate();
  const v8::Locker locker(isolate);
  const v8::Isolate::Scope isolate_scope(isolate);
  const v8::HandleScope handles(isolate);
  const v8::Context::Scope context(setup.context());
  const resident here(setup.env());
  ::node::SetProcessExitHandler(setup.env(), on_exit);
  const std::string main = "globalThis.weftSocket = " + std::to_string(socket) +
                           "; require('module').createRequire(" + quoted(script) + ")(" +
                           quoted(script) + ")";
  const bool loaded = !::node::LoadEnvironment(setup.env(), main.c_str()).IsEmpty();
  if (loaded) (void)::node::SpinEventLoop(setup.env());
  ::node::Stop(setup.env());
  return loaded ? "the node environment has ended" : "the node environment does not start";
}

}  // namespace

bool has_embedded() noexcept { return true; }

std::string run_embedded(int socket, const std::string& script) {
  ::node::MultiIsolatePlatform* const all = platform();
  if (!all) return "libnode does not start";
  std::vector<std::string> errors;
  // No flag: it does not own the process's folder, user and signals.
  const auto setup = ::node::CommonEnvironmentSetup::Create(
      all, &errors, std::vector<std::string>{"node"}, std::vector<std::string>{},
      ::node::EnvironmentFlags::kNoFlags);
  if (!setup) return errors.empty() ? "no node environment" : errors.front();
  return run(*setup, socket, script);
}

}  // namespace weft::node

#else

namespace weft::node {

bool has_embedded() noexcept { return false; }
residence::residence() : refusal_("weft was built without libnode") {}
residence::~residence() = default;
std::string run_embedded(int, const std::string&) { return "weft was built without libnode"; }

}  // namespace weft::node

#endif
