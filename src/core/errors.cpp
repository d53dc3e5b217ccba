// SPDX-License-Identifier: MIT
#include "core/errors.hpp"

#include <cerrno>
#include <cstring>

namespace weft::inline v0::core {

namespace {

struct entry {
  int error;
  error_text text;
};

constexpr entry table[] = {
    {ECONNREFUSED, {"ECONNREFUSED", "connection refused"}},
    {ECONNRESET, {"ECONNRESET", "connection reset by peer"}},
    {ECONNABORTED, {"ECONNABORTED", "connection aborted"}},
    {EPIPE, {"EPIPE", "broken pipe"}},
    {ENOTCONN, {"ENOTCONN", "not connected"}},
    {EISCONN, {"EISCONN", "already connected"}},
    {ETIMEDOUT, {"ETIMEDOUT", "connection timed out"}},
    {EADDRINUSE, {"EADDRINUSE", "address already in use"}},
    {EADDRNOTAVAIL, {"EADDRNOTAVAIL", "cannot assign requested address"}},
    {EAFNOSUPPORT, {"EAFNOSUPPORT", "address family not supported"}},
    {EHOSTUNREACH, {"EHOSTUNREACH", "no route to host"}},
    {ENETUNREACH, {"ENETUNREACH", "network is unreachable"}},
    {ENETDOWN, {"ENETDOWN", "network is down"}},
    {EACCES, {"EACCES", "permission denied"}},
    {EPERM, {"EPERM", "operation not permitted"}},
    {EMFILE, {"EMFILE", "too many open files"}},
    {ENFILE, {"ENFILE", "too many open files in system"}},
    {EAGAIN, {"EAGAIN", "resource temporarily unavailable"}},
    {ENOMEM, {"ENOMEM", "not enough memory"}},
    {ENOBUFS, {"ENOBUFS", "no buffer space available"}},
    {EBUSY, {"EBUSY", "in use by another runtime"}},
    {EINVAL, {"EINVAL", "invalid argument"}},
    {EBADF, {"EBADF", "bad file descriptor"}},
    {ERANGE, {"ERANGE", "descriptor too high for select"}},
    {ECANCELED, {"ECANCELED", "cancelled"}},
    {error_name_unknown, {"ENOTFOUND", "name not known"}},
    {error_name_again, {"EAI_AGAIN", "the resolver cannot be asked now"}},
    {error_name_failed, {"EAI_FAIL", "the resolver failed"}},
};

}  // namespace

error_text describe(int error) noexcept {
  if (error < 0) error = -error;
  for (const entry& e : table)
    if (e.error == error) return e.text;
#ifdef __GLIBC__
  if (const char* code = ::strerrorname_np(error)) return {code, ::strerrordesc_np(error)};
#endif
  return {"EUNKNOWN", "unknown error"};
}

}  // namespace weft::inline v0::core
