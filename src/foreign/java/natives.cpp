// SPDX-License-Identifier: MIT
// The native methods of weft.Host and of resty.NgxHttpLuaNonblockingFFI: foreign.h for Java.
#include <cstdint>

#include "foreign/java/machine.hpp"

namespace weft::java {

namespace {

weft_task* task_of(jlong token) noexcept {
  return reinterpret_cast<weft_task*>(static_cast<std::uintptr_t>(token));
}

jlong poll(JNIEnv*, jclass, jlong queue) noexcept {
  weft_task* task = host->poll(reinterpret_cast<weft_queue*>(static_cast<std::uintptr_t>(queue)));
  return static_cast<jlong>(reinterpret_cast<std::uintptr_t>(task));
}

jstring method(JNIEnv* env, jclass, jlong task) noexcept {
  return env->NewStringUTF(host->method(task_of(task)));
}

jbyteArray request(JNIEnv* env, jclass, jlong task) noexcept {
  std::size_t size = 0;
  const char* bytes = host->request(task_of(task), &size);
  if (!bytes) return nullptr;
  const auto length = static_cast<jsize>(size);
  jbyteArray array = env->NewByteArray(length);
  if (array) env->SetByteArrayRegion(array, 0, length, reinterpret_cast<const jbyte*>(bytes));
  return array;
}

/// A copy that belongs to the host; null without an array, and with an exception when there is no
/// memory.
char* copy_of(JNIEnv* env, jbyteArray array, std::size_t& size) noexcept {
  size = 0;
  if (!array) return nullptr;
  const jsize length = env->GetArrayLength(array);
  auto* bytes = static_cast<char*>(host->allocate(static_cast<std::size_t>(length) + 1));
  if (!bytes) {
    env->ThrowNew(env->FindClass("java/lang/OutOfMemoryError"), "an answer to weft");
    return nullptr;
  }
  env->GetByteArrayRegion(array, 0, length, reinterpret_cast<jbyte*>(bytes));
  bytes[length] = 0;
  size = static_cast<std::size_t>(length);
  return bytes;
}

void respond(JNIEnv* env, jclass, jlong task, jint status, jbyteArray answer) noexcept {
  std::size_t size = 0;
  char* bytes = copy_of(env, answer, size);
  if (answer && !bytes) return;
  if (host->respond(task_of(task), status, bytes, size) != 0) host->release(bytes);
}

void respond_part(JNIEnv* env, jclass, jlong task, jbyteArray part) noexcept {
  std::size_t size = 0;
  char* bytes = copy_of(env, part, size);
  if (part && !bytes) return;
  if (host->respond_part(task_of(task), bytes, size) != 0) host->release(bytes);
}

jlong unread_parts(JNIEnv*, jclass, jlong task) noexcept {
  return host->unread_parts(task_of(task));
}

jboolean cancelled(JNIEnv*, jclass, jlong task) noexcept {
  return host->task_cancelled(task_of(task)) != 0;
}

jlong deadline(JNIEnv*, jclass, jlong task) noexcept { return host->deadline(task_of(task)); }

template <typename F>
JNINativeMethod native(const char* name, const char* signature, F* function) noexcept {
  return {const_cast<char*>(name), const_cast<char*>(signature), reinterpret_cast<void*>(function)};
}

template <std::size_t N>
bool bind(JNIEnv* env, const char* class_name, const JNINativeMethod (&methods)[N]) noexcept {
  jclass type = env->FindClass(class_name);
  return type && env->RegisterNatives(type, methods, static_cast<jint>(N)) == JNI_OK;
}

}  // namespace

bool register_natives(JNIEnv* env) noexcept {
  const JNINativeMethod ours[] = {
      native("poll", "(J)J", poll),
      native("method", "(J)Ljava/lang/String;", method),
      native("request", "(J)[B", request),
      native("respond", "(JI[B)V", respond),
      native("respondPart", "(J[B)V", respond_part),
      native("unreadParts", "(J)J", unread_parts),
      native("cancelled", "(J)Z", cancelled),
      native("deadline", "(J)J", deadline),
  };
  const JNINativeMethod seed[] = {
      native("task_poll", "(J)J", poll),
      native("get_req", "(J)[B", request),
      native("respond", "(JI[B)V", respond),
  };
  return bind(env, "weft/Host", ours) && bind(env, "resty/NgxHttpLuaNonblockingFFI", seed);
}

}  // namespace weft::java
