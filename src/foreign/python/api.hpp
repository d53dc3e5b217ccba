// SPDX-License-Identifier: MIT
// api: the functions of libpython that the loader calls, found by name at run time, so that one
// build serves every Python 3.9 and later. No Python.h: its macros and layouts belong to one
// version. All of these are functions, and objects are opaque.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace weft::python {

struct py_object;
using object = py_object*;
using py_function = object (*)(object self, object arguments);

/// The layout of PyMethodDef, which is part of the stable ABI.
struct method_definition {
  const char* name;
  py_function function;
  int flags;
  const char* doc;
};
inline constexpr int varargs = 1;  // METH_VARARGS

// result, name, parameters
#define WEFT_PYTHON_FUNCTIONS(X)                                             \
  X(int, Py_IsInitialized, (void))                                           \
  X(void, Py_InitializeEx, (int))                                            \
  X(const char*, Py_GetVersion, (void))                                      \
  X(wchar_t*, Py_DecodeLocale, (const char*, std::size_t*))                  \
  X(void*, PyEval_SaveThread, (void))                                        \
  X(void, PyEval_RestoreThread, (void*))                                     \
  X(int, PyGILState_Ensure, (void))                                          \
  X(void, PyGILState_Release, (int))                                         \
  X(void, Py_IncRef, (object))                                               \
  X(void, Py_DecRef, (object))                                               \
  X(object, PyImport_ImportModule, (const char*))                            \
  X(object, PyObject_GetAttrString, (object, const char*))                   \
  X(int, PyObject_SetAttrString, (object, const char*, object))              \
  X(object, PyObject_CallFunctionObjArgs, (object, ...))                     \
  X(object, PyObject_CallFunction, (object, const char*, ...))               \
  X(object, PyObject_CallMethod, (object, const char*, const char*, ...))    \
  X(object, PyObject_Type, (object))                                         \
  X(object, PyObject_Str, (object))                                          \
  X(object, PyDict_New, (void))                                              \
  X(object, PyDict_GetItemString, (object, const char*))                     \
  X(int, PyDict_SetItemString, (object, const char*, object))                \
  X(object, PyList_New, (std::ptrdiff_t))                                    \
  X(int, PyList_Append, (object, object))                                    \
  X(object, PyBytes_FromStringAndSize, (const char*, std::ptrdiff_t))        \
  X(int, PyBytes_AsStringAndSize, (object, char**, std::ptrdiff_t*))         \
  X(object, PyUnicode_AsUTF8String, (object))                                \
  X(long, PyLong_AsLong, (object))                                           \
  X(object, PyLong_FromVoidPtr, (void*))                                     \
  X(object, PyFloat_FromDouble, (double))                                    \
  X(object, PyBool_FromLong, (long))                                         \
  X(object, PyErr_NoMemory, (void))                                          \
  X(object, PyImport_AddModule, (const char*))                               \
  X(object, PyUnicode_DecodeFSDefault, (const char*))                        \
  X(object, PyUnicode_DecodeFSDefaultAndSize, (const char*, std::ptrdiff_t)) \
  X(object, Py_BuildValue, (const char*, ...))                               \
  X(int, PyArg_ParseTuple, (object, const char*, ...))                       \
  X(object, PyCFunction_NewEx, (method_definition*, object, object))         \
  X(object, PyErr_Occurred, (void))                                          \
  X(void, PyErr_Clear, (void))                                               \
  X(void, PyErr_Print, (void))                                               \
  X(void, PyErr_Fetch, (object*, object*, object*))                          \
  X(void, PyErr_NormalizeException, (object*, object*, object*))             \
  X(int, PyException_SetTraceback, (object, object))

/// The interpreter of the process: filled once by start_interpreter, then constant.
struct python_functions {
#define WEFT_PYTHON_MEMBER(result, name, parameters) result(*name) parameters = nullptr;
  WEFT_PYTHON_FUNCTIONS(WEFT_PYTHON_MEMBER)
#undef WEFT_PYTHON_MEMBER
  void (*Py_SetProgramName)(const wchar_t*) = nullptr;  // gone some day: null then
  object none = nullptr;
  object bytes_type = nullptr;
};
inline constinit python_functions py;

/// Owns one reference. The interpreter's lock is held wherever one lives.
class ref {
 public:
  ref() noexcept = default;
  explicit ref(object owned) noexcept : object_(owned) {}
  ref(ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  ref& operator=(ref&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~ref() {
    if (object_) py.Py_DecRef(object_);
  }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  object get() const noexcept { return object_; }
  object release() noexcept { return std::exchange(object_, nullptr); }

 private:
  object object_ = nullptr;
};

inline object new_reference(object o) noexcept {
  py.Py_IncRef(o);
  return o;
}

/// Holds the interpreter's lock, with a thread state of the calling thread.
class interpreter_lock {
 public:
  interpreter_lock() noexcept : state_(py.PyGILState_Ensure()) {}
  interpreter_lock(const interpreter_lock&) = delete;
  interpreter_lock& operator=(const interpreter_lock&) = delete;
  ~interpreter_lock() { py.PyGILState_Release(state_); }

 private:
  int state_;
};

/// The pending exception, taken off; null when there is none.
ref take_exception() noexcept;
/// "ValueError: no such thing" of the pending exception, which is taken off.
std::string take_exception_text();

}  // namespace weft::python
