// SPDX-License-Identifier: MIT
// WEFT_TEST_ASAN, WEFT_TEST_TSAN: 1 where a test is built with that sanitizer, else 0.
#pragma once

// g++ says so by a macro, clang by a feature.
#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define WEFT_TEST_ASAN 1
#else
#define WEFT_TEST_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define WEFT_TEST_TSAN 1
#else
#define WEFT_TEST_TSAN 0
#endif
