// SPDX-License-Identifier: MIT
// machine: the one JVM of the process, found and started for the first runtime; it stays for good.
#pragma once

#include <jni.h>

#include <string>
#include <vector>

#include "weft/foreign.h"

namespace weft::java {

/// The host's functions, the same for every runtime.
inline constinit const weft_foreign* host = nullptr;
/// Set once start_machine has succeeded.
inline constinit JavaVM* machine = nullptr;

struct machine_options {
  std::string home;                ///< a JDK's or JRE's folder, or "" to look for one
  std::vector<std::string> flags;  ///< as `java` takes them: -Xmx64m
};

/// On a thread of the caller's own, not the host's. "", or what went wrong. Later calls with other
/// flags fail, since a process has one JVM.
std::string start_machine(const machine_options& options);

/// The calling thread is one of the JVM's for as long as this lives.
class attachment {
 public:
  attachment() noexcept;
  attachment(const attachment&) = delete;
  attachment& operator=(const attachment&) = delete;
  ~attachment();
  JNIEnv* operator->() const noexcept { return env_; }
  JNIEnv* get() const noexcept { return env_; }

 private:
  JNIEnv* env_ = nullptr;
};

/// Binds the native methods of weft.Host and resty.NgxHttpLuaNonblockingFFI. False: a class is
/// missing.
bool register_natives(JNIEnv* env) noexcept;

}  // namespace weft::java
