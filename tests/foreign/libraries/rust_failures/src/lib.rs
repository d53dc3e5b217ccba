// SPDX-License-Identifier: MIT
//! Failures of every kind, by the method's name or the configuration.

use weft_foreign::{runtime, Failure, Queue};

fn failure(status: i32, text: &str) -> Failure {
    Failure { status, text: text.into() }
}

runtime!(|config: &str, queue: Queue| {
    std::panic::set_hook(Box::new(|_| {})); // the caller is told; stderr need not be
    match config {
        "zero" => return Err(failure(0, "not found")),
        "status" => return Err(failure(9, "nine")),
        "panic" => panic!("as asked"),
        _ => {}
    }
    queue.serve(1, |task| match task.method() {
        "zero" => Err(failure(0, "not found")),
        "sent" => Ok(Some(task.has_request().to_string().into_bytes())),
        _ => Ok(None),
    });
    Ok(())
});
