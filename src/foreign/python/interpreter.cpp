// SPDX-License-Identifier: MIT
#include "foreign/python/interpreter.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <semaphore>
#include <vector>

#include "foreign/python/api.hpp"

namespace weft::python {

namespace {

namespace fs = std::filesystem;

constexpr int oldest = 9, newest = 30;  // of Python 3

/// What is asked for: where to look for a libpython, and which interpreter it shall take itself
/// for.
struct choice {
  std::vector<std::string> libraries;
  std::string program;
};

/// "3.11" of "python3.11", "libpython3.11.so.1.0", "3.11.2"; else "".
std::string version_in(std::string_view text) {
  for (std::size_t at = text.find("3."); at != std::string_view::npos;
       at = text.find("3.", at + 1)) {
    std::size_t end = at + 2;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') end++;
    if (end > at + 2) return std::string(text.substr(at, end - at));
  }
  return "";
}

void add_libraries(choice& c, const std::string& version, const fs::path& prefix) {
  const std::string name = "libpython" + version + ".so";
  if (!prefix.empty()) {
    c.libraries.push_back(prefix / "lib" / (name + ".1.0"));
    c.libraries.push_back(prefix / "lib" / name);
  }
  c.libraries.push_back(name + ".1.0");
  c.libraries.push_back(name);
}

choice choose_interpreter(const std::string& path) {
  std::error_code ignored;
  const fs::path real = fs::canonical(path, ignored);
  choice c;
  c.program = path;
  const std::string version = version_in(real.filename().native());
  if (!version.empty()) add_libraries(c, version, real.parent_path().parent_path());
  return c;
}

choice choose_venv(const std::string& venv) {
  choice c = choose_interpreter(venv + "/bin/python");
  c.program = venv + "/bin/python";
  return c;
}

choice choose_default() {
  choice c;
  c.libraries.emplace_back(WEFT_LIBPYTHON);  // the one that was there when weft was built
  for (int minor = newest; minor >= oldest; minor--)
    add_libraries(c, "3." + std::to_string(minor), {});
  return c;
}

bool is_file(const std::string& python) {
  return python.find('/') != std::string::npos || python.find(".so") != std::string::npos;
}

/// "3.11", "3.11.2" or "python3.11"; "3" is any.
bool is_version(std::string_view python) {
  if (python.starts_with("python")) python.remove_prefix(6);
  if (python == "3") return true;
  return python.starts_with("3.") && python.size() > 2 &&
         python.find_first_not_of("0123456789.") == std::string_view::npos;
}

choice choose(const interpreter_options& options) {
  const std::string& python = options.python;
  if (python.find(".so") != std::string::npos) return {.libraries = {python}, .program = ""};
  if (is_file(python)) return choose_interpreter(python);
  if (const std::string version = version_in(python); !version.empty()) {
    choice c;
    add_libraries(c, version, {});
    return c;
  }
  return options.venv.empty() ? choose_default() : choose_venv(options.venv);
}

/// Global, because extension modules of Python expect its symbols in the process.
void* open_library(const choice& c, std::string& error) {
  for (const std::string& library : c.libraries) {
    if (void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE))
      return handle;
    if (error.empty()) error = ::dlerror();
  }
  if (error.empty()) error = "no libpython belongs to " + c.program;
  return nullptr;
}

std::string find_functions(void* library) {
#define WEFT_PYTHON_FIND(result, name, parameters)                        \
  py.name = reinterpret_cast<decltype(py.name)>(::dlsym(library, #name)); \
  if (!py.name) return "this libpython has no " #name ": Python 3.9 or later is needed";
  WEFT_PYTHON_FUNCTIONS(WEFT_PYTHON_FIND)
#undef WEFT_PYTHON_FIND
  py.Py_SetProgramName =
      reinterpret_cast<decltype(py.Py_SetProgramName)>(::dlsym(library, "Py_SetProgramName"));
  py.bytes_type = static_cast<object>(::dlsym(library, "PyBytes_Type"));
  if (!py.bytes_type) return "this libpython has no PyBytes_Type";
  const std::string version = version_in(py.Py_GetVersion());
  if (version.empty() || std::stoi(version.substr(2)) < oldest)
    return "this is Python " + version + ": 3." + std::to_string(oldest) + " or later is needed";
  return "";
}

/// Python looks for its standard library beginning from its program: bin/python3.x beside lib/.
std::string program_beside(void* function) {
  Dl_info info;
  if (!::dladdr(function, &info) || !info.dli_fname) return "";
  std::error_code ignored;
  const fs::path library = fs::canonical(info.dli_fname, ignored);
  const std::string name = "python" + version_in(library.filename().native());
  for (fs::path at = library.parent_path(); at.has_relative_path(); at = at.parent_path())
    if (::access((at / "bin" / name).c_str(), X_OK) == 0) return at / "bin" / name;
  return "";
}

/// The thread that Python takes for its main one. It runs no code of anybody's, so that no module
/// can take over the host's signals.
void* main_thread(void* ready) {
  // Python sets the locale of the process, which is the host's.
  const std::string locale = std::setlocale(LC_CTYPE, nullptr);
  py.Py_InitializeEx(0);
  std::setlocale(LC_CTYPE, locale.c_str());
  py.none = py.Py_BuildValue("");
  py.PyEval_SaveThread();
  static_cast<std::binary_semaphore*>(ready)->release();
  for (;;) ::pause();
}

std::string initialize(const std::string& program) {
  if (!program.empty() && py.Py_SetProgramName)
    py.Py_SetProgramName(py.Py_DecodeLocale(program.c_str(), nullptr));
  std::binary_semaphore ready(0);
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, main_thread, &ready) != 0) return "no thread for Python";
  ::pthread_detach(thread);
  ready.acquire();
  return "";
}

/// The host may be a Python program itself, or have one embedded.
std::string adopt() {
  const interpreter_lock lock;
  py.none = py.Py_BuildValue("");
  return "";
}

std::string start(const interpreter_options& options) {
  std::string error;
  void* library = ::dlsym(RTLD_DEFAULT, "Py_IsInitialized") ? ::dlopen(nullptr, RTLD_NOW) : nullptr;
  choice c;
  if (!library) {
    c = choose(options);
    library = open_library(c, error);
  }
  if (!library) return error;
  error = find_functions(library);
  if (!error.empty()) return error;
  if (py.Py_IsInitialized()) return adopt();
  if (c.program.empty()) c.program = program_beside(reinterpret_cast<void*>(py.Py_InitializeEx));
  return initialize(c.program);
}

/// Whether the Python that runs is the one that is asked for: "", or why not.
std::string compare(const interpreter_options& options) {
  const bool any = version_in(options.python).empty() && !is_file(options.python);
  if (any && options.venv.empty()) return "";
  const choice c = choose(options);
  if (c.libraries.empty())  // a venv's version is looked at when it is entered
    return is_file(options.python) ? "no libpython belongs to " + options.python : "";
  const std::string running = version_in(py.Py_GetVersion());
  const std::string wanted = version_in(fs::path(c.libraries.front()).filename().native());
  if (wanted.empty() || wanted == running) return "";
  return "Python " + wanted + " is asked for, but this process runs Python " + running;
}

}  // namespace

std::string start_interpreter(const interpreter_options& options) {
  static constinit std::mutex mutex;
  static constinit bool started = false;
  const std::string& python = options.python;
  if (!python.empty() && !is_file(python) && !is_version(python))
    return "'" + python + "' is no Python for weft: option python is \"3\", a version from 3." +
           std::to_string(oldest) + " on, an interpreter's path, or a libpython";
  const std::lock_guard guard(mutex);
  if (started) return compare(options);
  std::string error = start(options);
  started = error.empty();
  return error;
}

ref take_exception() noexcept {
  object type = nullptr, value = nullptr, traceback = nullptr;
  py.PyErr_Fetch(&type, &value, &traceback);
  if (!type) return ref();
  py.PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) py.PyException_SetTraceback(value, traceback);
  const ref drop_type(type), drop_traceback(traceback);
  return ref(value);
}

std::string take_exception_text() {
  const ref exception = take_exception();
  if (!exception) return "unknown error";
  const ref type(py.PyObject_Type(exception.get()));
  const ref name(py.PyObject_GetAttrString(type.get(), "__name__"));
  const ref text(py.PyObject_Str(exception.get()));
  std::string message;
  for (const object part : {name.get(), text.get()}) {
    const ref utf8(part ? py.PyUnicode_AsUTF8String(part) : nullptr);
    char* bytes = nullptr;
    std::ptrdiff_t size = 0;
    if (!utf8 || py.PyBytes_AsStringAndSize(utf8.get(), &bytes, &size) != 0) continue;
    if (!message.empty() && size > 0) message += ": ";
    message.append(bytes, static_cast<std::size_t>(size));
  }
  py.PyErr_Clear();
  return message;
}

}  // namespace weft::python
