// SPDX-License-Identifier: MIT
// libweft-java.so: a Java class as a foreign runtime. weft.jar beside it is the part in Java:
// threads that take tasks, call the user's methods and settle what they return. Here: the JVM, and
// the native methods.
//
// Threads. The JVM is created, and init's work is done, on threads of their own: the host's thread
// only waits, and is never attached. The JVM gets -Xrs, so that it leaves HUP, INT, QUIT and TERM
// alone.
#include <pthread.h>

#include <exception>
#include <mutex>

#include "foreign/java/machine.hpp"
#include "foreign/loader/settings.hpp"

namespace weft::java {

namespace {

struct request {
  const char* config;
  weft_queue* queue;
  std::string error;
  jint status = 0;
};

jlong number_of(weft_queue* queue) noexcept {
  return static_cast<jlong>(reinterpret_cast<std::uintptr_t>(queue));
}

/// Text comes in UTF-8, which NewStringUTF does not take.
jstring string_of(JNIEnv* env, std::string_view text) {
  const auto length = static_cast<jsize>(text.size());
  jbyteArray bytes = env->NewByteArray(length);
  env->SetByteArrayRegion(bytes, 0, length, reinterpret_cast<const jbyte*>(text.data()));
  jclass type = env->FindClass("java/lang/String");
  jmethodID make = env->GetMethodID(type, "<init>", "([BLjava/lang/String;)V");
  auto made = static_cast<jstring>(env->NewObject(type, make, bytes, env->NewStringUTF("UTF-8")));
  env->DeleteLocalRef(bytes);
  return made;
}

std::string text_of(JNIEnv* env, jstring text) {
  jmethodID encode =
      env->GetMethodID(env->FindClass("java/lang/String"), "getBytes", "(Ljava/lang/String;)[B");
  auto bytes =
      static_cast<jbyteArray>(env->CallObjectMethod(text, encode, env->NewStringUTF("UTF-8")));
  std::string copy(static_cast<std::size_t>(env->GetArrayLength(bytes)), '\0');
  env->GetByteArrayRegion(bytes, 0, static_cast<jsize>(copy.size()),
                          reinterpret_cast<jbyte*>(copy.data()));
  return copy;
}

jobjectArray array_of(JNIEnv* env, const loader::settings& settings) {
  jsize count = 0;
  for (const auto& [key, values] : settings) count += 2 * static_cast<jsize>(values.size());
  jobjectArray all = env->NewObjectArray(count, env->FindClass("java/lang/String"), nullptr);
  jsize at = 0;
  for (const auto& [key, values] : settings) {
    for (const std::string& value : values) {
      env->SetObjectArrayElement(all, at++, string_of(env, key));
      env->SetObjectArrayElement(all, at++, string_of(env, value));
    }
  }
  return all;
}

/// What a start method returned: null, or an error.
std::string outcome(JNIEnv* env, jobject returned) {
  if (env->ExceptionCheck()) {
    env->ExceptionDescribe();
    return "the Java side of the loader failed: see stderr";
  }
  return returned ? text_of(env, static_cast<jstring>(returned)) : "";
}

void start_runtime(request& r, const loader::settings& settings) {
  const auto flags = settings.find("flags");
  r.error = start_machine(
      {.home = std::string(loader::first_of(settings, "java_home")),
       .flags = flags == settings.end() ? std::vector<std::string>() : flags->second});
  if (!r.error.empty()) return;
  const attachment java;
  jclass type = java->FindClass("weft/Runtime");
  jmethodID start =
      java->GetStaticMethodID(type, "start", "(J[Ljava/lang/String;)Ljava/lang/String;");
  r.error = outcome(java.get(), java->CallStaticObjectMethod(type, start, number_of(r.queue),
                                                             array_of(java.get(), settings)));
}

void start_seed(request& r, const loader::seed_settings& seed) {
  r.error = start_machine({});
  if (!r.error.empty()) return;
  const attachment java;
  jclass type = java->FindClass("weft/Runtime");
  jmethodID start = java->GetStaticMethodID(
      type, "startSeed",
      "(JLjava/lang/String;Ljava/lang/String;Ljava/lang/String;[I)Ljava/lang/String;");
  jintArray status = java->NewIntArray(1);
  r.error =
      outcome(java.get(), java->CallStaticObjectMethod(
                              type, start, number_of(r.queue), string_of(java.get(), seed.unit),
                              string_of(java.get(), seed.function),
                              seed.rest ? string_of(java.get(), seed.rest) : nullptr, status));
  java->GetIntArrayRegion(status, 0, 1, &r.status);
}

void start(request& r) {
  if (const auto settings = loader::parse_settings(r.config)) return start_runtime(r, *settings);
  const auto seed = loader::parse_seed_settings(r.config);
  if (seed) return start_seed(r, *seed);
  r.error = "the configuration is to be class,method[,rest]";
}

void* run(void* argument) {
  static constinit std::mutex one_at_a_time;
  const std::lock_guard guard(one_at_a_time);
  auto& r = *static_cast<request*>(argument);
  try {
    start(r);
  } catch (const std::exception& e) {
    r.error = e.what();
  }
  return nullptr;
}

}  // namespace

}  // namespace weft::java

extern "C" WEFT_FOREIGN_API int weft_foreign_init(const weft_foreign* weft, weft_queue* queue,
                                                  const char* config) {
  // Once: the threads of earlier runtimes read it.
  [[maybe_unused]] static const bool known = (weft::java::host = weft, true);
  weft::java::request r{.config = config ? config : "", .queue = queue, .error = {}};
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, weft::java::run, &r) != 0) {
    weft->init_error(queue, "no thread for Java");
    return 1;
  }
  ::pthread_join(thread, nullptr);
  if (r.error.empty()) return r.status;
  weft->init_error(queue, r.error.c_str());
  return 1;
}
