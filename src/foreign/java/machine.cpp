// SPDX-License-Identifier: MIT
#include "foreign/java/machine.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace weft::java {

namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// The home of the `java` that a shell would run.
fs::path home_on_path() {
  std::istringstream folders(environment("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path java = fs::path(folder) / "java";
    std::error_code failed;
    if (::access(java.c_str(), X_OK) != 0) continue;
    const fs::path real = fs::canonical(java, failed);
    if (!failed) return real.parent_path().parent_path();
  }
  return {};
}

std::vector<fs::path> homes(const machine_options& options) {
  if (!options.home.empty()) return {options.home};
  if (const std::string home = environment("JAVA_HOME"); !home.empty()) return {home};
  std::vector<fs::path> all = {home_on_path(), "/usr/lib/jvm/default-java"};
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/jvm", ignored))
    all.push_back(entry.path());
  return all;
}

void* open_library(const machine_options& options, std::string& error) {
  for (const fs::path& home : homes(options)) {
    const fs::path library = home / "lib/server/libjvm.so";
    if (void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE))
      return handle;
    if (error.empty()) error = ::dlerror();
  }
  return nullptr;
}

/// weft.jar is beside this library.
std::string class_path() {
  Dl_info info;
  if (!::dladdr(reinterpret_cast<void*>(&class_path), &info)) return "";
  return fs::canonical(info.dli_fname).parent_path() / "weft.jar";
}

/// -Xrs: without it the JVM takes HUP, INT and TERM away from the host.
std::vector<std::string> flags_of(const machine_options& options) {
  std::vector<std::string> flags = {"-Xrs", "-Djava.class.path=" + class_path()};
  std::istringstream words(environment("JAVA_OPTS"));
  for (std::string word; words >> word;) flags.push_back(word);
  flags.insert(flags.end(), options.flags.begin(), options.flags.end());
  return flags;
}

std::string create(const machine_options& options, const std::vector<std::string>& flags) {
  std::string error;
  void* library = open_library(options, error);
  if (!library) return error;
  using creator = jint (*)(JavaVM**, void**, void*);
  const auto create_machine = reinterpret_cast<creator>(::dlsym(library, "JNI_CreateJavaVM"));
  if (!create_machine) return "this libjvm.so has no JNI_CreateJavaVM";
  std::vector<JavaVMOption> all;
  for (const std::string& flag : flags) all.push_back({const_cast<char*>(flag.c_str()), nullptr});
  JavaVMInitArgs arguments = {JNI_VERSION_1_8, static_cast<jint>(all.size()), all.data(),
                              JNI_FALSE};
  JNIEnv* env = nullptr;
  JavaVM* created = nullptr;
  const jint status = create_machine(&created, reinterpret_cast<void**>(&env), &arguments);
  if (status == JNI_EEXIST) return "this process runs a JVM already";
  if (status != JNI_OK) return "the JVM does not start: error " + std::to_string(status);
  if (!register_natives(env)) {
    env->ExceptionClear();
    return "the JVM does not find the classes of weft: " + class_path();
  }
  created->DetachCurrentThread();
  machine = created;
  return "";
}

}  // namespace

std::string start_machine(const machine_options& options) {
  static constinit std::vector<std::string>* running = nullptr;
  static constinit std::string* first_failure = nullptr;  // what a JVM leaves may refuse the next
  std::vector<std::string> flags = flags_of(options);
  if (!machine) {
    std::string error = create(options, flags);
    if (error.empty())
      running = new std::vector(std::move(flags));
    else if (first_failure)
      error += "; the first attempt of this process: " + *first_failure;
    else
      first_failure = new std::string(error);
    return error;
  }
  const bool same = options.flags.empty() || flags == *running;
  return same ? "" : "the JVM of this process runs with other flags";
}

attachment::attachment() noexcept {
  machine->AttachCurrentThread(reinterpret_cast<void**>(&env_), nullptr);
}

attachment::~attachment() { machine->DetachCurrentThread(); }

}  // namespace weft::java
