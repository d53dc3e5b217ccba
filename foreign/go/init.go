// SPDX-License-Identifier: MIT

package weft

/*
#cgo CFLAGS: -I${SRCDIR}/../../include -I${SRCDIR}/../../../../include
#include <stdint.h>
#include <stdlib.h>
#include "weft/foreign.h"

static inline void weft_go_init_error(const weft_foreign *weft, uintptr_t queue, const char *text) {
	weft->init_error((weft_queue *)queue, text);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

var start func(config string, queue Queue) error

// Runtime says what starts a runtime of this library: to be called once, in an init function. start runs on
// the thread of the event loop, so it sets things up, starts goroutines that serve the queue, and returns. An
// error, or a panic, makes the load fail with its text and status.
func Runtime(f func(config string, queue Queue) error) { start = f }

//export weft_foreign_init
func weft_foreign_init(functions *C.weft_foreign, queue *C.weft_queue, config *C.char) C.int {
	host = functions
	token := C.uintptr_t(uintptr(unsafe.Pointer(queue)))
	err := begin(C.GoString(config), Queue{token})
	if err == nil {
		return 0
	}
	message := C.CString(err.Error())
	defer C.free(unsafe.Pointer(message))
	C.weft_go_init_error(functions, token, message)
	return statusOf(err)
}

// A panic must not get out of here: it would end the process.
func begin(config string, queue Queue) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if start == nil {
		return errors.New("no weft.Runtime in an init function")
	}
	return start(config, queue)
}
