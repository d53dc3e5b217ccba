// SPDX-License-Identifier: MIT
#include "ngx_weft_module.h"

#include <new>

extern "C" {
#include <nginx.h>
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
}

namespace {

constexpr int batch = 64;

struct watch {
  ngx_weft_source& source;
  ngx_connection_t* connection;
  ngx_event_t
      settling;  // behind the coroutines that take has woken, in the same turn of nginx's loop
};

void take(watch& w) {
  const ngx_weft_source& source = w.source;
  void* semaphores[batch];
  int n;
  do {
    n = source.take(source.host, semaphores, batch);
    for (int i = 0; i < n; ++i) source.post(semaphores[i], 1);
  } while (n == batch);
  ngx_post_event(&w.settling, &ngx_posted_events);
}

/// Edge-triggered, so the eventfd's counter needs no reading.
void on_event(ngx_event_t* event) {
  take(*static_cast<watch*>(static_cast<ngx_connection_t*>(event->data)->data));
}

void on_settling(ngx_event_t* event) {
  auto& w = *static_cast<watch*>(event->data);
  if (w.source.settle(w.source.host)) take(w);
}

/// The descriptor is not nginx's to close.
void release(ngx_connection_t* connection) {
  ngx_free_connection(connection);
  connection->fd = static_cast<ngx_socket_t>(-1);
}

const char* mismatch() {
  if (ngx_core_module.version != nginx_version)
    return "it was compiled for another version of nginx";
  if (ngx_strcmp(ngx_core_module.signature, NGX_MODULE_SIGNATURE) != 0)
    return "it was compiled for an nginx that was configured otherwise";
  if ((ngx_event_flags & NGX_USE_CLEAR_EVENT) == 0)
    return "nginx uses an event method other than epoll";
  return nullptr;
}

ngx_core_module_t context = {ngx_string("weft"), nullptr, nullptr};

}  // namespace

unsigned ngx_weft_version(void) { return nginx_version; }

const char* ngx_weft_attach(ngx_weft_source* source) {
  if (const char* why = mismatch()) return why;
  auto* cycle = const_cast<ngx_cycle_t*>(ngx_cycle);
  ngx_connection_t* connection = ngx_get_connection(source->fd, cycle->log);
  if (connection == nullptr) return "nginx has no connection left (worker_connections)";
  auto* w = new (std::nothrow) watch{*source, connection, {}};
  if (w == nullptr) {
    release(connection);
    return "not enough memory";
  }
  w->settling.handler = on_settling;
  w->settling.data = w;
  w->settling.log = cycle->log;
  connection->data = w;
  connection->log = cycle->log;
  connection->read->log = cycle->log;
  connection->read->handler = on_event;
  // A worker that exits takes it for a channel to the master, and not for a client left behind.
  connection->read->channel = 1;
  source->watch = w;
  if (ngx_add_event(connection->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) == NGX_OK) return nullptr;
  ngx_weft_detach(source);
  return "nginx cannot watch the eventfd";
}

void ngx_weft_detach(ngx_weft_source* source) {
  auto* w = static_cast<watch*>(source->watch);
  if (w == nullptr) return;
  source->watch = nullptr;
  if (w->settling.posted) {
    ngx_delete_posted_event(&w->settling);  // a macro of several statements
  }
  if (w->connection->read->active) ngx_del_event(w->connection->read, NGX_READ_EVENT, 0);
  release(w->connection);
  delete w;
}

// What load_module looks for: nginx then checks version and signature itself.
extern "C" {
#define WEFT_EXPORT __attribute__((visibility("default")))
extern WEFT_EXPORT ngx_module_t ngx_weft_module;
extern WEFT_EXPORT ngx_module_t* ngx_modules[];
extern WEFT_EXPORT char* ngx_module_names[];
extern WEFT_EXPORT char* ngx_module_order[];

ngx_module_t ngx_weft_module = {NGX_MODULE_V1, &context, nullptr, NGX_CORE_MODULE,
                                nullptr,       nullptr,  nullptr, nullptr,
                                nullptr,       nullptr,  nullptr, NGX_MODULE_V1_PADDING};
ngx_module_t* ngx_modules[] = {&ngx_weft_module, nullptr};
char module_name[] = "ngx_weft_module";
char* ngx_module_names[] = {module_name, nullptr};
char* ngx_module_order[] = {nullptr};
}
