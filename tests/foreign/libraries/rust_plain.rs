// SPDX-License-Identifier: MIT
// A Rust library as they are written for lua-resty-ffi: functions by name, no crate. Built by rustc alone.
use std::os::raw::{c_char, c_int, c_void};
use std::thread;

extern "C" {
    fn ngx_http_lua_ffi_task_poll(tq: *mut c_void) -> *mut c_void;
    fn ngx_http_lua_ffi_get_req(task: *mut c_void, len: *mut c_int) -> *mut c_char;
    fn ngx_http_lua_ffi_respond(task: *mut c_void, rc: c_int, rsp: *mut c_char, len: c_int);
    fn malloc(size: usize) -> *mut c_void;
    fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void;
}

struct Token(usize);

#[no_mangle]
pub unsafe extern "C" fn libffi_init(config: *mut c_char, tq: *mut c_void) -> c_int {
    if !config.is_null() && *config == b'b' as c_char {
        return 3;
    }
    let tq = Token(tq as usize);
    thread::spawn(move || loop {
        let task = ngx_http_lua_ffi_task_poll(tq.0 as *mut c_void);
        if task.is_null() {
            return;
        }
        let task = Token(task as usize);
        thread::spawn(move || {
            let task = task.0 as *mut c_void;
            let mut size: c_int = 0;
            let request = ngx_http_lua_ffi_get_req(task, &mut size);
            let answer = malloc(size as usize + 1);
            memcpy(answer, request as *const c_void, size as usize);
            ngx_http_lua_ffi_respond(task, 0, answer as *mut c_char, size);
        });
    });
    0
}
