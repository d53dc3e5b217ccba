// SPDX-License-Identifier: MIT

// A Go library as they are written for lua-resty-ffi: functions by name, no helper package.
package main

/*
#cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all
#include <stdlib.h>
void *ngx_http_lua_ffi_task_poll(void *tq);
char *ngx_http_lua_ffi_get_req(void *task, int *len);
void ngx_http_lua_ffi_respond(void *task, int rc, char *rsp, int len);
*/
import "C"

import (
	"runtime"
	"unsafe"
)

func answer(task unsafe.Pointer) {
	var size C.int
	request := C.ngx_http_lua_ffi_get_req(task, &size)
	if request == nil {
		C.ngx_http_lua_ffi_respond(task, 7, C.CString("no request"), 0)
		return
	}
	answer := C.CBytes(C.GoBytes(unsafe.Pointer(request), size))
	runtime.GC() // which meets the token on this stack
	C.ngx_http_lua_ffi_respond(task, 0, (*C.char)(answer), size)
}

//export libffi_init
func libffi_init(config *C.char, tq unsafe.Pointer) C.int {
	if config != nil && C.GoString(config) == "bad" {
		return 3
	}
	go func() {
		for {
			task := C.ngx_http_lua_ffi_task_poll(tq)
			if task == nil {
				return
			}
			go answer(task)
		}
	}()
	return 0
}

func main() {}
