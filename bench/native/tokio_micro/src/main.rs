// SPDX-License-Identifier: MIT
// The same as weft_micro.cpp for Tokio. Argument 1: threads; 0 is the current_thread runtime.
use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    let mut t = 0.0;
    for e in std::fs::read_dir("/proc/self/task").unwrap() {
        let p = e.unwrap().path().join("schedstat");
        if let Ok(x) = std::fs::read_to_string(p) {
            t += x.split(' ').next().unwrap().parse::<f64>().unwrap();
        }
    }
    let _ = s;
    t * 1e-9
}
fn rss() -> f64 {
    std::fs::read_to_string("/proc/self/statm")
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse::<f64>()
        .unwrap()
        * 4096.0
}
fn skynet(base: i64, size: i64) -> Pin<Box<dyn Future<Output = i64> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return base;
        }
        let mut v = Vec::with_capacity(10);
        for i in 0..10 {
            v.push(tokio::spawn(skynet(base + i * (size / 10), size / 10)));
        }
        let mut s = 0;
        for h in v {
            s += h.await.unwrap();
        }
        s
    })
}
fn fib(n: i64) -> Pin<Box<dyn Future<Output = i64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let a = tokio::spawn(fib(n - 1));
        let b = fib(n - 2).await;
        a.await.unwrap() + b
    })
}
async fn all(suf: String, multi: bool) {
    let out = |n: &str, v: f64, u: &str| println!("RESULT {n}{suf} {v:.3} {u}");
    for k in [2usize, 1000] {
        let n = 2_000_000usize;
        let t = Instant::now();
        let mut v = vec![];
        for _ in 0..k {
            let per = n / k;
            v.push(tokio::spawn(async move {
                for _ in 0..per {
                    tokio::task::yield_now().await
                }
            }));
        }
        for h in v {
            h.await.unwrap();
        }
        out(
            &format!("yield_{k}"),
            t.elapsed().as_nanos() as f64 / n as f64,
            "ns",
        );
    }
    {
        let t = Instant::now();
        for _ in 0..1000 {
            let mut v = Vec::with_capacity(1000);
            for _ in 0..1000 {
                v.push(tokio::spawn(async { 1u32 }));
            }
            for h in v {
                h.await.unwrap();
            }
        }
        out("spawn_join", t.elapsed().as_nanos() as f64 / 1e6, "ns");
    }
    {
        let n = 500_000;
        let t = tokio::spawn(async move {
            let t = Instant::now();
            for _ in 0..n {
                tokio::spawn(async { 1u32 }).await.unwrap();
            }
            t.elapsed()
        })
        .await
        .unwrap();
        out("spawn_join_each", t.as_nanos() as f64 / n as f64, "ns");
    }
    {
        let n = if multi { 100_000 } else { 500_000 };
        let (a, mut ra) = mpsc::channel::<i64>(1);
        let (b, mut rb) = mpsc::channel::<i64>(1);
        let p = tokio::spawn(async move {
            for _ in 0..n {
                let v = ra.recv().await.unwrap();
                b.send(v).await.unwrap();
            }
        });
        let q = tokio::spawn(async move {
            let t = Instant::now();
            for i in 0..n {
                a.send(i).await.unwrap();
                assert!(rb.recv().await.unwrap() == i);
            }
            t.elapsed()
        });
        let d = q.await.unwrap();
        p.await.unwrap();
        out("chan_msg", d.as_nanos() as f64 / (2 * n) as f64, "ns");
    }
    {
        let t = Instant::now();
        assert!(tokio::spawn(fib(25)).await.unwrap() == 75025);
        out("fib25", t.elapsed().as_secs_f64() * 1e3, "ms");
    }
    {
        let t = Instant::now();
        assert!(tokio::spawn(fib(30)).await.unwrap() == 832040);
        out("fib30", t.elapsed().as_secs_f64() * 1e3, "ms");
    }
    {
        let t = Instant::now();
        assert!(tokio::spawn(skynet(0, 1_000_000)).await.unwrap() == 499999500000);
        out("skynet", t.elapsed().as_secs_f64() * 1e3, "ms");
    }
    {
        let c = cpu();
        let mut x = 7u64;
        let mut v = vec![];
        for _ in 0..100_000 {
            x = x
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let ms = (x >> 33) % 1000;
            v.push(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await
            }));
        }
        for h in v {
            h.await.unwrap();
        }
        out("timers_1e5_cpu", (cpu() - c) * 1e3, "ms");
    }
    {
        let n = 500_000;
        let t = Instant::now();
        for _ in 0..n {
            let s = tokio::time::sleep(Duration::from_secs(1));
            tokio::pin!(s);
            std::future::poll_fn(|cx| {
                let _ = s.as_mut().poll(cx);
                std::task::Poll::Ready(())
            })
            .await;
        }
        out(
            "timer_insert_cancel",
            t.elapsed().as_nanos() as f64 / n as f64,
            "ns",
        );
    }
}
async fn parked() {
    let (_t, r) = tokio::sync::watch::channel(0);
    let m = rss();
    for _ in 0..100_000 {
        let mut r = r.clone();
        tokio::spawn(async move {
            let _ = r.changed().await;
        });
    }
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    println!("RESULT parked_bytes_rss_ct {:.0} B", (rss() - m) / 1e5);
    std::process::exit(0);
}
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    if std::env::args().nth(2).is_some() {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(parked());
        return;
    }
    if n == 0 {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(all("_ct".into(), false))
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(n)
            .enable_all()
            .build()
            .unwrap()
            .block_on(async move { tokio::spawn(all(format!("_{n}t"), n > 1)).await.unwrap() })
    }
}
