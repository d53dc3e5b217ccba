// SPDX-License-Identifier: MIT
//! An echo: the smallest library in Rust. The configuration says how many threads of its own
//! answer; "serve": two of the package's, for which a slow answer holds one of them up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use weft_foreign::{runtime, Answer, Failure, Queue, Task};

static CANCELLED: AtomicUsize = AtomicUsize::new(0);

fn number(task: &Task) -> u64 {
    String::from_utf8_lossy(task.request()).parse().unwrap_or(0)
}

/// Sleeps in steps, until the caller has left.
fn slow(task: Task) {
    for _ in 0..number(&task) / 5 {
        if task.cancelled() {
            CANCELLED.fetch_add(1, Ordering::Relaxed);
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    task.respond_from(|_| b"slow");
}

fn answer(task: &Task) -> Answer {
    match task.method() {
        "fail" => Err(Failure { status: 42, text: "it failed".into() }),
        "panic" => panic!("{}", String::from_utf8_lossy(task.request())),
        "cancelled" => Ok(Some(CANCELLED.load(Ordering::Relaxed).to_string().into_bytes())),
        "list" => {
            for i in 1..=3 {
                task.part(format!("part {i}").as_bytes());
            }
            Ok(None)
        }
        _ => unreachable!(),
    }
}

/// An echo is answered from where the request lies; what is slow has a thread of its own.
fn serve(queue: Queue) {
    let mut tasks = Vec::new();
    while queue.poll(&mut tasks).is_some() {
        for task in tasks.drain(..) {
            match task.method() {
                "echo" => task.respond_from(Task::request),
                "slow" => drop(thread::spawn(move || slow(task))),
                _ => {
                    let answered = std::panic::catch_unwind(|| answer(&task));
                    task.respond(answered.unwrap_or_else(|_| Err("panic: in a handler".into())));
                }
            }
        }
    }
}

runtime!(|config: &str, queue: Queue| {
    std::panic::set_hook(Box::new(|_| {})); // the caller is told; stderr need not be
    if config == "serve" {
        queue.serve(2, |task| {
            if task.method() == "slow" {
                thread::sleep(Duration::from_millis(number(task)));
            }
            Ok(Some(task.request().to_vec()))
        });
        return Ok(());
    }
    for _ in 0..config.parse::<usize>()? {
        thread::spawn(move || serve(queue));
    }
    Ok(())
});
