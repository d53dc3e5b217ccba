// SPDX-License-Identifier: MIT
use weft_foreign::{runtime, Queue};

runtime!(|_config: &str, queue: Queue| {
    queue.serve(2, |task| Ok(Some(task.request().to_ascii_uppercase())));
    Ok(())
});
