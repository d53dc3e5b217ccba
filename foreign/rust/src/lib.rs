// SPDX-License-Identifier: MIT
//! Makes a Rust library a runtime that fibers of weft call without blocking.
//!
//! ```ignore
//! use weft_foreign::{runtime, Queue};
//!
//! runtime!(|_config: &str, queue: Queue| {
//!     queue.serve(1, |task| Ok(Some(task.request().to_vec())));
//!     Ok(())
//! });
//! ```
//!
//! is built as a `cdylib` and loaded with `weft.foreign.load`.

use std::any::Any;
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;
use std::{ptr, slice, thread};

#[repr(C)]
struct Functions {
    size: u32,
    version: u32,
    poll: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    poll_many: unsafe extern "C" fn(*mut c_void, *mut *mut c_void, c_int, i64) -> c_int,
    request: unsafe extern "C" fn(*mut c_void, *mut usize) -> *mut u8,
    respond: unsafe extern "C" fn(*mut c_void, c_int, *mut u8, usize) -> c_int,
    respond_copy: unsafe extern "C" fn(*mut c_void, c_int, *const u8, usize) -> c_int,
    respond_part: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> c_int,
    unread_parts: unsafe extern "C" fn(*mut c_void) -> i64,
    task_cancelled: unsafe extern "C" fn(*mut c_void) -> c_int,
    deadline: unsafe extern "C" fn(*mut c_void) -> i64,
    allocate: unsafe extern "C" fn(usize) -> *mut u8,
    release: unsafe extern "C" fn(*mut u8),
    init_error: unsafe extern "C" fn(*mut c_void, *const c_char),
    method: unsafe extern "C" fn(*mut c_void) -> *const c_char,
}

/// What init is handed; the same for every runtime of the process.
static HOST: AtomicPtr<Functions> = AtomicPtr::new(ptr::null_mut());

fn host() -> &'static Functions {
    let host = HOST.load(Ordering::Acquire);
    unsafe { host.as_ref() }.expect("weft_foreign_init has not been called")
}

/// Where a runtime's tasks come from.
#[derive(Clone, Copy)]
pub struct Queue(*mut c_void);

// A queue may be polled by any number of threads, and is never freed.
unsafe impl Send for Queue {}
unsafe impl Sync for Queue {}

/// One request, to be answered once; dropped without an answer it fails.
pub struct Task {
    token: *mut c_void,
    request: *const u8,
    size: usize,
    answered: bool,
}

// The functions may be called from any thread, and the request stays until the answer.
unsafe impl Send for Task {}
unsafe impl Sync for Task {}

/// A failure: a status and a text. The status 0 becomes 1, since it would be a success.
#[derive(Debug)]
pub struct Failure {
    pub status: i32,
    pub text: String,
}

impl Failure {
    fn code(&self) -> c_int {
        if self.status == 0 { 1 } else { self.status }
    }

    fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        Failure::from(format!("panic: {text}"))
    }
}

impl<T: ToString> From<T> for Failure {
    fn from(error: T) -> Self {
        Failure { status: 1, text: error.to_string() }
    }
}

/// What a handler gives: bytes, nothing, or a failure.
pub type Answer = Result<Option<Vec<u8>>, Failure>;

const BATCH: usize = 64;
const UNREAD_LIMIT: i64 = 16;

impl Queue {
    /// Up to 64 tasks; waits for the first. `None`: the runtime is unloaded, for good.
    pub fn poll(&self, tasks: &mut Vec<Task>) -> Option<()> {
        self.poll_some(tasks, BATCH)
    }

    fn poll_some(&self, tasks: &mut Vec<Task>, most: usize) -> Option<()> {
        let mut tokens = [ptr::null_mut(); BATCH];
        let n = unsafe { (host().poll_many)(self.0, tokens.as_mut_ptr(), most as c_int, -1) };
        let n = usize::try_from(n).ok()?;
        tasks.extend(tokens[..n].iter().map(|&token| Task::new(token)));
        Some(())
    }

    /// Answers tasks on `threads` threads of its own, one after the other on each, until the runtime is
    /// unloaded. Returns at once. A handler that panics fails the task.
    pub fn serve(self, threads: usize, handler: impl Fn(&Task) -> Answer + Send + Sync + Clone + 'static) {
        // Nobody's task waits behind another's while a thread is free.
        let most = if threads == 1 { BATCH } else { 1 };
        for _ in 0..threads {
            let handler = handler.clone();
            thread::spawn(move || {
                let mut tasks = Vec::with_capacity(BATCH);
                while self.poll_some(&mut tasks, most).is_some() {
                    tasks.drain(..).for_each(|task| task.answer(&handler));
                }
            });
        }
    }
}

impl Task {
    fn new(token: *mut c_void) -> Task {
        let mut size = 0;
        let request = unsafe { (host().request)(token, &mut size) };
        Task { token, request, size, answered: false }
    }

    /// What the caller sent; empty if nothing (see `has_request`). It is not copied.
    pub fn request(&self) -> &[u8] {
        if self.request.is_null() {
            return &[];
        }
        unsafe { slice::from_raw_parts(self.request, self.size) }
    }

    /// Whether the caller sent bytes, if only none of them: `rt:name("")`, not `rt:name()`.
    pub fn has_request(&self) -> bool {
        !self.request.is_null()
    }

    /// The name that the caller wrote.
    pub fn method(&self) -> &'static str {
        unsafe { CStr::from_ptr((host().method)(self.token)) }.to_str().unwrap_or("")
    }

    /// Whether the caller has left.
    pub fn cancelled(&self) -> bool {
        unsafe { (host().task_cancelled)(self.token) != 0 }
    }

    /// When the caller will leave, in nanoseconds of CLOCK_MONOTONIC; `None`: never.
    pub fn deadline(&self) -> Option<i64> {
        Some(unsafe { (host().deadline)(self.token) }).filter(|&d| d != i64::MAX)
    }

    /// Sends a part of the answer ahead, and waits while the reader is slow. False: nobody reads any more.
    pub fn part(&self, bytes: &[u8]) -> bool {
        let host = host();
        unsafe {
            while (host.unread_parts)(self.token) >= UNREAD_LIMIT {
                thread::sleep(Duration::from_millis(1));
            }
            let copy = (host.allocate)(bytes.len() + 1);
            if copy.is_null() {
                return false;
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            *copy.add(bytes.len()) = 0;
            let sent = (host.respond_part)(self.token, copy, bytes.len()) == 0;
            if !sent {
                (host.release)(copy);
            }
            sent
        }
    }

    /// Answers.
    pub fn respond(mut self, answer: Answer) {
        match answer {
            Ok(None) => unsafe {
                (host().respond)(self.token, 0, ptr::null_mut(), 0);
            },
            Ok(Some(bytes)) => self.copy(0, &bytes),
            Err(failure) => self.copy(failure.code(), failure.text.as_bytes()),
        }
        self.answered = true;
    }

    /// Answers with bytes that need no vector of their own: the task's request, or others.
    pub fn respond_from(mut self, bytes: impl FnOnce(&Task) -> &[u8]) {
        self.copy(0, bytes(&self));
        self.answered = true;
    }

    fn copy(&self, status: c_int, bytes: &[u8]) {
        unsafe { (host().respond_copy)(self.token, status, bytes.as_ptr(), bytes.len()) };
    }

    fn answer(self, handler: &impl Fn(&Task) -> Answer) {
        let answer = catch_unwind(AssertUnwindSafe(|| handler(&self)));
        self.respond(answer.unwrap_or_else(|panic| Err(Failure::of_panic(&*panic))));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.answered {
            self.copy(1, b"the task was dropped without an answer");
        }
    }
}

/// For `runtime!`: the body of the init function.
///
/// # Safety
/// The arguments are those that weft has passed.
pub unsafe fn start(
    functions: *const c_void,
    queue: *mut c_void,
    config: *const c_char,
    init: impl FnOnce(&str, Queue) -> Result<(), Failure>,
) -> c_int {
    HOST.store(functions as *mut Functions, Ordering::Release);
    let host = host();
    if host.version < 1 || (host.size as usize) < std::mem::size_of::<Functions>() {
        return 1;
    }
    let config = if config.is_null() { b"\0".as_ptr().cast() } else { config };
    let config = CStr::from_ptr(config).to_string_lossy();
    let failure = match catch_unwind(AssertUnwindSafe(|| init(&config, Queue(queue)))) {
        Ok(Ok(())) => return 0,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::of_panic(&*panic),
    };
    if let Ok(text) = CString::new(failure.text.as_str()) {
        (host.init_error)(queue, text.as_ptr());
    }
    failure.code()
}

/// Says what starts a runtime of this library: a function of the configuration (`&str`, empty if there is
/// none) and the `Queue`. It runs on the thread of the event loop: it sets things up, starts threads that
/// serve the queue, and returns. An error makes the load fail with its text.
#[macro_export]
macro_rules! runtime {
    ($init:expr) => {
        #[no_mangle]
        pub unsafe extern "C" fn weft_foreign_init(
            functions: *const std::os::raw::c_void,
            queue: *mut std::os::raw::c_void,
            config: *const std::os::raw::c_char,
        ) -> std::os::raw::c_int {
            $crate::start(functions, queue, config, $init)
        }
    };
}
