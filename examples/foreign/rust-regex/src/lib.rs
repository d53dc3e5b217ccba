// SPDX-License-Identifier: MIT
//! The regex crate for fibers: rt:find_all(pattern .. "\n" .. text) returns what matches, a line each.
//! Compiled expressions are kept.

use regex::bytes::Regex;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use weft_foreign::{runtime, Answer, Failure, Queue};

type Kept = Arc<Mutex<HashMap<String, Regex>>>;

fn compiled(kept: &Kept, pattern: &str) -> Result<Regex, Failure> {
    let mut kept = kept.lock().unwrap();
    if let Some(regex) = kept.get(pattern) {
        return Ok(regex.clone());
    }
    let regex = Regex::new(pattern)?;
    kept.insert(pattern.to_string(), regex.clone());
    Ok(regex)
}

fn find_all(kept: &Kept, request: &[u8]) -> Answer {
    let end = request.iter().position(|&b| b == b'\n').ok_or("no line with a pattern")?;
    let regex = compiled(kept, std::str::from_utf8(&request[..end])?)?;
    let found: Vec<&[u8]> = regex.find_iter(&request[end + 1..]).map(|m| m.as_bytes()).collect();
    Ok(Some(found.join(&b'\n')))
}

runtime!(|_config: &str, queue: Queue| {
    let kept = Kept::default();
    queue.serve(2, move |task| find_all(&kept, task.request()));
    Ok(())
});
