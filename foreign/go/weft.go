// SPDX-License-Identifier: MIT

// Package weft makes a Go library a runtime that fibers of weft call without blocking.
//
//	package main
//
//	import weft "weft.local/foreign"
//
//	func init() {
//		weft.Runtime(func(config string, queue weft.Queue) error {
//			go queue.ServeEach(func(task *weft.Task) ([]byte, error) {
//				return task.Request(), nil
//			})
//			return nil
//		})
//	}
//
//	func main() {}
//
// is built with go build -buildmode=c-shared, and loaded with weft.foreign.load.
package weft

/*
#cgo CFLAGS: -I${SRCDIR}/../../include -I${SRCDIR}/../../../../include
#include <stdint.h>
#include <string.h>
#include <time.h>
#include "weft/foreign.h"

// Tokens and addresses are numbers here: cgo looks at every pointer that it is passed the address of.
typedef struct {
	uintptr_t task;
	uintptr_t request;
	size_t size;
	uintptr_t method;
} weft_go_item;

enum { weft_go_batch = 64 };

// Up to max tasks (at most weft_go_batch) with all that a handler asks about them, in one call.
static inline int weft_go_poll(const weft_foreign *weft, uintptr_t queue, weft_go_item *items, int max) {
	weft_task *tasks[weft_go_batch];
	int n = weft->poll_many((weft_queue *)queue, tasks, max, -1);
	for (int i = 0; i < n; ++i) {
		items[i].task = (uintptr_t)tasks[i];
		items[i].request = (uintptr_t)weft->request(tasks[i], &items[i].size);
		items[i].method = (uintptr_t)weft->method(tasks[i]);
	}
	return n;
}
static inline int weft_go_respond(const weft_foreign *weft, uintptr_t task, int status, void *data, size_t size) {
	if (!data) return weft->respond((weft_task *)task, status, 0, 0);
	return weft->respond_copy((weft_task *)task, status, data, size);
}
static inline int weft_go_part(const weft_foreign *weft, uintptr_t task, void *data, size_t size) {
	char *copy = weft->allocate(size + 1);
	if (!copy) return -1;
	if (size > 0) memcpy(copy, data, size);
	copy[size] = 0;
	if (weft->respond_part((weft_task *)task, copy, size) == 0) return 0;
	weft->release(copy);
	return -1;
}
static inline int64_t weft_go_unread(const weft_foreign *weft, uintptr_t task) {
	return weft->unread_parts((weft_task *)task);
}
static inline int weft_go_cancelled(const weft_foreign *weft, uintptr_t task) {
	return weft->task_cancelled((weft_task *)task);
}
// Nanoseconds left; INT64_MAX: no deadline.
static inline int64_t weft_go_left(const weft_foreign *weft, uintptr_t task) {
	int64_t deadline = weft->deadline((weft_task *)task);
	struct timespec now;
	if (deadline == INT64_MAX) return deadline;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return deadline - (now.tv_sec * 1000000000LL + now.tv_nsec);
}
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"
)

// What init is handed; the same for every runtime of the process.
var host *C.weft_foreign

// Queue is where a runtime's tasks come from.
type Queue struct{ token C.uintptr_t }

// Task is one request, to be answered once. Its methods may be called from any goroutine.
type Task struct {
	token   C.uintptr_t
	request []byte
	method  string
}

// Error is a failure with a status of its own, also when another error wraps it; any other error, and one whose
// status is 0, has the status 1.
type Error struct {
	Status int
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Handler makes the answer to a task: bytes (nil: none), or an error. It may send parts before.
type Handler func(task *Task) ([]byte, error)

// Serve answers tasks one after the other on each of n goroutines, until the runtime is unloaded. It returns
// then. For handlers that take little time, or are not to run more than n at once.
func (q Queue) Serve(n int, handler Handler) {
	batch := C.int(1) // nobody's task waits behind another's while a goroutine is free
	if n == 1 {
		batch = C.weft_go_batch
	}
	done := make(chan struct{})
	for i := 0; i < n; i++ {
		go func() {
			q.each(batch, func(task *Task) { task.answer(handler) })
			done <- struct{}{}
		}()
	}
	for i := 0; i < n; i++ {
		<-done
	}
}

// ServeEach answers each task on a goroutine of its own, until the runtime is unloaded.
func (q Queue) ServeEach(handler Handler) {
	q.each(C.weft_go_batch, func(task *Task) { go task.answer(handler) })
}

func (q Queue) each(max C.int, f func(task *Task)) {
	var items [C.weft_go_batch]C.weft_go_item
	for {
		n := int(C.weft_go_poll(host, q.token, &items[0], max))
		if n < 0 {
			return
		}
		for _, item := range items[:n] {
			f(&Task{
				token:   item.task,
				request: bytesOf(address(item.request), int(item.size)),
				method:  nameOf(address(item.method)),
			})
		}
	}
}

// The memory of weft's that a number of C's is the address of.
func address(n C.uintptr_t) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&n)) }

// The bytes where they are: weft's, until the task is answered.
func bytesOf(p unsafe.Pointer, size int) []byte {
	if p == nil {
		return nil
	}
	return unsafe.Slice((*byte)(p), size)
}

// A method's name stays where it is for good.
func nameOf(p unsafe.Pointer) string {
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	name := unsafe.Slice((*byte)(p), n)
	return *(*string)(unsafe.Pointer(&name))
}

func (t *Task) answer(handler Handler) {
	defer func() {
		if p := recover(); p != nil {
			t.Fail(1, fmt.Sprint("panic: ", p))
		}
	}()
	answer, err := handler(t)
	if err == nil {
		t.Respond(answer)
		return
	}
	t.respond(statusOf(err), []byte(err.Error()), false)
}

func statusOf(err error) C.int {
	var e *Error
	if errors.As(err, &e) {
		return failing(e.Status)
	}
	return 1
}

// A failure's status: 0 would be a success.
func failing(status int) C.int {
	if C.int(status) == 0 {
		return 1
	}
	return C.int(status)
}

// Request is what the caller sent, nil if nothing. Valid until the task is answered; it is not copied.
func (t *Task) Request() []byte { return t.request }

// Method is the name that the caller wrote.
func (t *Task) Method() string { return t.method }

// Respond answers with bytes, which are copied; nil is no answer. False: the task has been answered before.
func (t *Task) Respond(answer []byte) bool { return t.respond(0, answer, answer == nil) }

// Fail answers with a failure; the status 0 becomes 1.
func (t *Task) Fail(status int, text string) bool {
	return t.respond(failing(status), []byte(text), false)
}

func (t *Task) respond(status C.int, bytes []byte, none bool) bool {
	if none {
		return C.weft_go_respond(host, t.token, status, nil, 0) == 0
	}
	return C.weft_go_respond(host, t.token, status, dataOf(bytes), C.size_t(len(bytes))) == 0
}

var empty [1]byte

func dataOf(bytes []byte) unsafe.Pointer {
	if len(bytes) == 0 {
		return unsafe.Pointer(&empty[0])
	}
	return unsafe.Pointer(&bytes[0])
}

// How many parts may wait for their reader.
const unreadLimit = 16

// Part sends a part of the answer ahead, and waits while the reader is slow. False: nobody reads any more.
func (t *Task) Part(bytes []byte) bool {
	for C.weft_go_unread(host, t.token) >= unreadLimit {
		time.Sleep(time.Millisecond)
	}
	return C.weft_go_part(host, t.token, dataOf(bytes), C.size_t(len(bytes))) == 0
}

// Cancelled tells whether the caller has left.
func (t *Task) Cancelled() bool { return C.weft_go_cancelled(host, t.token) != 0 }

// Deadline is when the caller will leave; false: never.
func (t *Task) Deadline() (time.Time, bool) {
	left := int64(C.weft_go_left(host, t.token))
	if left == math.MaxInt64 {
		return time.Time{}, false
	}
	return time.Now().Add(time.Duration(left)), true
}

// How often a context looks whether the caller has left.
const lookInterval = 10 * time.Millisecond

// Context ends at the deadline, and soon after the caller has left. To be cancelled by whoever asked for it.
func (t *Task) Context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if deadline, ok := t.Deadline(); ok {
		ctx, cancel = context.WithDeadline(context.Background(), deadline)
	}
	go func() {
		ticker := time.NewTicker(lookInterval)
		defer ticker.Stop()
		for !t.Cancelled() {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		cancel()
	}()
	return ctx, cancel
}
