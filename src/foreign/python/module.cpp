// SPDX-License-Identifier: MIT
#include "foreign/python/module.hpp"

#include <cstdlib>
#include <cstring>
#include <ctime>

namespace weft::python {

namespace {

/// What the calling thread is answering with a plain function or a generator.
constinit thread_local weft_task* current = nullptr;

object none() noexcept { return new_reference(py.none); }

/// Tasks travel through Python as integers.
ref token(weft_task* task) noexcept { return ref(py.PyLong_FromVoidPtr(task)); }

template <typename T>
T* pointer(unsigned long long number) noexcept {
  return reinterpret_cast<T*>(static_cast<std::uintptr_t>(number));
}

/// Bytes, or None: false with an exception pending.
bool view_bytes(object value, const char*& bytes, std::size_t& size) noexcept {
  bytes = nullptr;
  size = 0;
  if (value == py.none) return true;
  char* at = nullptr;
  std::ptrdiff_t length = 0;
  if (py.PyBytes_AsStringAndSize(value, &at, &length) != 0) return false;
  bytes = at;
  size = static_cast<std::size_t>(length);
  return true;
}

/// False with an exception pending.
bool respond_with(weft_task* task, int status, object value) noexcept {
  const char* bytes = nullptr;
  std::size_t size = 0;
  if (!view_bytes(value, bytes, size)) return false;
  if (bytes)
    host->respond_copy(task, status, bytes, size);
  else
    host->respond(task, status, nullptr, 0);
  return true;
}

/// respond(task, status, bytes or None)
object respond(object, object arguments) noexcept {
  unsigned long long task = 0;
  int status = 0;
  object value = nullptr;
  if (!py.PyArg_ParseTuple(arguments, "KiO", &task, &status, &value)) return nullptr;
  return respond_with(pointer<weft_task>(task), status, value) ? none() : nullptr;
}

/// respond_part(task, bytes or None)
object respond_part(object, object arguments) noexcept {
  unsigned long long task = 0;
  object value = nullptr;
  if (!py.PyArg_ParseTuple(arguments, "KO", &task, &value)) return nullptr;
  const char* bytes = nullptr;
  std::size_t size = 0;
  if (!view_bytes(value, bytes, size)) return nullptr;
  char* copy = static_cast<char*>(host->allocate(size + 1));
  if (!copy) return py.PyErr_NoMemory();
  if (size > 0) std::memcpy(copy, bytes, size);
  copy[size] = 0;
  if (host->respond_part(pointer<weft_task>(task), copy, size) != 0) host->release(copy);
  return none();
}

/// unread_parts(task) -> int, -1 when nobody reads
object unread_parts(object, object arguments) noexcept {
  unsigned long long task = 0;
  if (!py.PyArg_ParseTuple(arguments, "K", &task)) return nullptr;
  return py.Py_BuildValue("L",
                          static_cast<long long>(host->unread_parts(pointer<weft_task>(task))));
}

/// cancelled(task) -> bool
object cancelled(object, object arguments) noexcept {
  unsigned long long task = 0;
  if (!py.PyArg_ParseTuple(arguments, "K", &task)) return nullptr;
  return py.PyBool_FromLong(host->task_cancelled(pointer<weft_task>(task)) != 0);
}

/// deadline(task) -> seconds left, or None
object deadline(object, object arguments) noexcept {
  unsigned long long task = 0;
  if (!py.PyArg_ParseTuple(arguments, "K", &task)) return nullptr;
  const std::int64_t at = host->deadline(pointer<weft_task>(task));
  if (at == INT64_MAX) return none();
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t left = at - (now.tv_sec * 1'000'000'000 + now.tv_nsec);
  return py.PyFloat_FromDouble(left > 0 ? static_cast<double>(left) / 1e9 : 0.0);
}

/// current() -> the task that this thread is answering, or None
object current_task(object, object) noexcept { return current ? token(current).release() : none(); }

/// One runtime, while a thread serves it: its Python object, and its functions by name.
struct server {
  object runtime;
  object functions;

  void answer(weft_task* task) const noexcept;
  ref function_of(weft_task* task) const noexcept;
  void fail(weft_task* task) const noexcept;
};

ref server::function_of(weft_task* task) const noexcept {
  const char* name = host->method(task);
  if (object known = py.PyDict_GetItemString(functions, name)) return ref(new_reference(known));
  return ref(py.PyObject_CallMethod(runtime, "find", "s", name));
}

/// Answers with the exception that is pending.
void server::fail(weft_task* task) const noexcept {
  const ref exception = take_exception();
  const ref number = token(task);
  const ref done(
      exception ? py.PyObject_CallMethod(runtime, "failed", "OO", number.get(), exception.get())
                : nullptr);
  if (done) return;
  py.PyErr_Clear();
  static constexpr char text[] = "Python could not even describe its error";
  host->respond_copy(task, 1, text, sizeof text - 1);
}

void server::answer(weft_task* task) const noexcept {
  const ref function = function_of(task);
  if (!function) return fail(task);
  std::size_t size = 0;
  const char* request = host->request(task, &size);
  const ref argument(
      request ? py.PyBytes_FromStringAndSize(request, static_cast<std::ptrdiff_t>(size)) : none());
  const ref result(argument
                       ? py.PyObject_CallFunctionObjArgs(function.get(), argument.get(), nullptr)
                       : nullptr);
  if (!result) return fail(task);
  const ref type(py.PyObject_Type(result.get()));
  if (type.get() == py.bytes_type || result.get() == py.none) {
    respond_with(task, 0, result.get());
    return;
  }
  const ref number = token(task);
  const ref settled(py.PyObject_CallMethod(runtime, "settle", "OO", number.get(), result.get()));
  if (!settled) fail(task);
}

/// The interpreter's lock is given up only when there is nothing to do: giving it up and taking it
/// back costs more than a call, and whoever else wants it gets it after Python's switch interval.
weft_task* next_task(weft_queue* queue) noexcept {
  weft_task* task = nullptr;
  const int taken = host->poll_many(queue, &task, 1, 0);
  if (taken > 0) return task;
  if (taken < 0) return nullptr;
  void* state = py.PyEval_SaveThread();
  task = host->poll(queue);
  py.PyEval_RestoreThread(state);
  return task;
}

/// serve(runtime, queue): answers tasks until the queue has ended.
object serve(object, object arguments) noexcept {
  object runtime = nullptr;
  unsigned long long number = 0;
  if (!py.PyArg_ParseTuple(arguments, "OK", &runtime, &number)) return nullptr;
  const ref functions(py.PyObject_GetAttrString(runtime, "functions"));
  if (!functions) return nullptr;
  const server s = {runtime, functions.get()};
  while (weft_task* task = next_task(pointer<weft_queue>(number))) {
    current = task;
    s.answer(task);
    current = nullptr;
  }
  return none();
}

constinit method_definition methods[] = {
    {"serve", serve, varargs, nullptr},
    {"respond", respond, varargs, nullptr},
    {"respond_part", respond_part, varargs, nullptr},
    {"unread_parts", unread_parts, varargs, nullptr},
    {"cancelled", cancelled, varargs, nullptr},
    {"deadline", deadline, varargs, nullptr},
    {"current", current_task, varargs, nullptr},
};

}  // namespace

bool add_module() noexcept {
  const ref module(new_reference(py.PyImport_AddModule("_weft")));
  for (method_definition& m : methods) {
    const ref function(py.PyCFunction_NewEx(&m, nullptr, nullptr));
    if (!function || py.PyObject_SetAttrString(module.get(), m.name, function.get()) != 0)
      return false;
  }
  return true;
}

}  // namespace weft::python
