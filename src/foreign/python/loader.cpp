// SPDX-License-Identifier: MIT
// libweft-python.so: a Python module as a foreign runtime. weft/ beside this file, which is
// installed beside the library, is the part in Python: it imports the user's module, and settles
// what functions return. Here: the interpreter, and the loop that takes tasks and calls functions.
//
// Threads. Each runtime has one thread of ours, which imports the module and then serves the queue
// with the further ones that option `threads` asks for; async functions run on one asyncio thread.
// The host's thread waits in init only. All of them inherit the signal mask of the loading thread,
// and Python installs no handler.
#include <dlfcn.h>
#include <pthread.h>

#include <filesystem>
#include <semaphore>

#include "foreign/loader/settings.hpp"
#include "foreign/python/api.hpp"
#include "foreign/python/interpreter.hpp"
#include "foreign/python/module.hpp"
#include "weft/foreign.h"

namespace weft::python {

namespace {

/// Where weft/__init__.py is: python/ beside this library.
std::string package_folder() {
  Dl_info info;
  if (!::dladdr(reinterpret_cast<void*>(&package_folder), &info)) return "";
  std::error_code ignored;  // nothing may be thrown on a runtime's thread
  return std::filesystem::canonical(info.dli_fname, ignored).parent_path() / "python";
}

/// Holding the interpreter's lock. "", or what went wrong.
std::string prepare_python() {
  static constinit bool prepared = false;
  if (prepared) return "";
  const ref path(py.PyImport_ImportModule("sys"));
  const ref list(path ? py.PyObject_GetAttrString(path.get(), "path") : nullptr);
  const ref folder(list ? py.PyUnicode_DecodeFSDefault(package_folder().c_str()) : nullptr);
  if (!folder || py.PyList_Append(list.get(), folder.get()) != 0 || !add_module())
    return take_exception_text();
  prepared = true;
  return "";
}

/// The pending exception with its traceback, taken off.
std::string error_text() {
  const ref exception = take_exception();
  const ref module(py.PyImport_ImportModule("weft._runtime"));
  const ref text(module ? py.PyObject_CallMethod(module.get(), "text_of", "O", exception.get())
                        : nullptr);
  char* bytes = nullptr;
  std::ptrdiff_t size = 0;
  if (text && py.PyBytes_AsStringAndSize(text.get(), &bytes, &size) == 0)
    return std::string(bytes, static_cast<std::size_t>(size));
  return take_exception_text();
}

ref dict_of(const loader::settings& settings) noexcept {
  ref dict(py.PyDict_New());
  for (const auto& [key, values] : settings) {
    const ref list(py.PyList_New(0));
    for (const std::string& value : values) {
      const ref text(py.PyUnicode_DecodeFSDefaultAndSize(
          value.data(), static_cast<std::ptrdiff_t>(value.size())));
      if (text) py.PyList_Append(list.get(), text.get());
    }
    py.PyDict_SetItemString(dict.get(), key.c_str(), list.get());
  }
  return dict;
}

/// A new runtime on its way from init to its own thread, and init's answer on its way back.
struct birth {
  const loader::settings& settings;
  weft_queue* queue;
  std::string error;
  std::binary_semaphore born{0};
};

/// The Runtime of weft._runtime, which imports the user's module.
ref make_runtime(birth& b) {
  b.error = prepare_python();
  if (!b.error.empty()) return ref();
  const ref module(py.PyImport_ImportModule("weft._runtime"));
  const ref options = dict_of(b.settings);
  ref runtime(module ? py.PyObject_CallMethod(module.get(), "Runtime", "O", options.get())
                     : nullptr);
  if (!runtime) b.error = error_text();
  return runtime;
}

/// A runtime's own thread, from the import of its module to the end of its queue.
void* live(void* argument) {
  const interpreter_lock lock;
  auto& b = *static_cast<birth*>(argument);
  weft_queue* const queue = b.queue;
  const ref runtime = make_runtime(b);
  b.born.release();  // the last touch of b
  if (!runtime) return nullptr;
  const ref number(py.PyLong_FromVoidPtr(queue));
  const ref done(py.PyObject_CallMethod(runtime.get(), "run", "O", number.get()));
  if (!done) py.PyErr_Print();
  return nullptr;
}

std::string start_runtime(const loader::settings& settings, weft_queue* queue) {
  std::string error =
      start_interpreter({.python = std::string(loader::first_of(settings, "python")),
                         .venv = std::string(loader::first_of(settings, "venv"))});
  if (!error.empty()) return error;
  birth b{.settings = settings, .queue = queue, .error = {}};
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, live, &b) != 0) return "no thread for the runtime";
  ::pthread_detach(thread);
  b.born.acquire();
  return b.error;
}

/// The seed's way: the module's function gets addresses, and serves the queue itself.
std::string call_seed(const loader::seed_settings& seed, weft_queue* queue, int& status) {
  std::string error = start_interpreter({});
  if (!error.empty()) return error;
  const interpreter_lock lock;
  error = prepare_python();
  if (!error.empty()) return error;
  const ref module(py.PyImport_ImportModule("weft._runtime"));
  const ref result(
      module ? py.PyObject_CallMethod(
                   module.get(), "call_seed", "ssKK", seed.unit.c_str(), seed.function.c_str(),
                   static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(seed.rest)),
                   static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(queue)))
             : nullptr);
  if (!result) return error_text();
  status = static_cast<int>(py.PyLong_AsLong(result.get()));
  return py.PyErr_Occurred() ? error_text() : "";
}

int init(const weft_foreign* weft, weft_queue* queue, const char* config) {
  // Once: the threads of earlier runtimes read it.
  [[maybe_unused]] static const bool known = (host = weft, true);
  const char* text = config ? config : "";
  int status = 0;
  std::string error;
  if (const auto settings = loader::parse_settings(text))
    error = start_runtime(*settings, queue);
  else if (const auto seed = loader::parse_seed_settings(text))
    error = call_seed(*seed, queue, status);
  else
    error = "the configuration is to be module,function[,rest]";
  if (error.empty()) return status;
  weft->init_error(queue, error.c_str());
  return 1;
}

}  // namespace

}  // namespace weft::python

extern "C" WEFT_FOREIGN_API int weft_foreign_init(const weft_foreign* weft, weft_queue* queue,
                                                  const char* config) {
  try {
    return weft::python::init(weft, queue, config);
  } catch (const std::exception& e) {
    weft->init_error(queue, e.what());
    return 1;
  }
}
