// SPDX-License-Identifier: MIT
// Go micro benchmarks; GOMAXPROCS chooses the threads (suffix _1t / _2t).
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

var suf string

func out(n string, v float64, u string) { fmt.Printf("RESULT %s%s %.6g %s\n", n, suf, v, u) }
func cpu() float64 {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}
func rss() float64 {
	b, _ := os.ReadFile("/proc/self/statm")
	var a, c float64
	fmt.Sscan(strings.TrimSpace(string(b)), &a, &c)
	return c * 4096
}
func ns(t time.Time, n int) float64 { return float64(time.Since(t).Nanoseconds()) / float64(n) }
func skynet(c chan int, num, size int) {
	if size == 1 {
		c <- num
		return
	}
	rc := make(chan int)
	sum := 0
	for i := 0; i < 10; i++ {
		go skynet(rc, num+i*(size/10), size/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-rc
	}
	c <- sum
}
func fib(n int) int {
	if n < 2 {
		return n
	}
	var a int
	var w sync.WaitGroup
	w.Add(1)
	go func() { a = fib(n - 1); w.Done() }()
	b := fib(n - 2)
	w.Wait()
	return a + b
}
func pp(n int, lock bool) float64 {
	a, b := make(chan int), make(chan int)
	done := make(chan bool)
	go func() {
		if lock {
			runtime.LockOSThread()
		}
		for i := 0; i < n; i++ {
			b <- <-a
		}
		done <- true
	}()
	if lock {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	t := time.Now()
	for i := 0; i < n; i++ {
		a <- i
		<-b
	}
	r := ns(t, 2*n)
	<-done
	return r
}
func main() {
	p := runtime.GOMAXPROCS(0)
	suf = fmt.Sprintf("_%dt", p)
	if len(os.Args) > 1 {
		runtime.GC()
		m := rss()
		c := make(chan int)
		for i := 0; i < 100000; i++ {
			go func() { <-c }()
		}
		runtime.Gosched()
		time.Sleep(100 * time.Millisecond)
		out("parked_bytes_rss", (rss()-m)/1e5, "B")
		return
	}
	for _, k := range []int{2, 1000} {
		n := 2000000
		var w sync.WaitGroup
		w.Add(k)
		t := time.Now()
		for i := 0; i < k; i++ {
			go func() {
				for j := 0; j < n/k; j++ {
					runtime.Gosched()
				}
				w.Done()
			}()
		}
		w.Wait()
		out(fmt.Sprintf("yield_%d", k), ns(t, n), "ns")
	}
	{
		t := time.Now()
		var w sync.WaitGroup
		for i := 0; i < 1000; i++ {
			w.Add(1000)
			for j := 0; j < 1000; j++ {
				go func() { w.Done() }()
			}
			w.Wait()
		}
		out("spawn_join", ns(t, 1000000), "ns")
	}
	{
		n := 500000
		t := time.Now()
		c := make(chan int)
		for i := 0; i < n; i++ {
			go func() { c <- 1 }()
			<-c
		}
		out("spawn_join_each", ns(t, n), "ns")
	}
	out("chan_msg", pp(500000, false), "ns")
	if p > 1 {
		out("chan_msg_locked", pp(20000, true), "ns")
	}
	{
		for _, k := range []int{2, 8} {
			n := 500000
			cs := make([]chan int, 8)
			for i := range cs {
				cs[i] = make(chan int)
			}
			go func() {
				for i := 0; i < n; i++ {
					cs[i%k] <- 1
				}
			}()
			s := 0
			t := time.Now()
			if k == 2 {
				for i := 0; i < n; i++ {
					select {
					case v := <-cs[0]:
						s += v
					case v := <-cs[1]:
						s += v
					}
				}
			} else {
				for i := 0; i < n; i++ {
					select {
					case v := <-cs[0]:
						s += v
					case v := <-cs[1]:
						s += v
					case v := <-cs[2]:
						s += v
					case v := <-cs[3]:
						s += v
					case v := <-cs[4]:
						s += v
					case v := <-cs[5]:
						s += v
					case v := <-cs[6]:
						s += v
					case v := <-cs[7]:
						s += v
					}
				}
			}
			out(fmt.Sprintf("select_%d", k), ns(t, n), "ns")
		}
	}
	{
		t := time.Now()
		if fib(25) != 75025 {
			panic(0)
		}
		out("fib25", float64(time.Since(t).Microseconds())/1e3, "ms")
	}
	{
		t := time.Now()
		if fib(30) != 832040 {
			panic(0)
		}
		out("fib30", float64(time.Since(t).Microseconds())/1e3, "ms")
	}
	{
		t := time.Now()
		c := make(chan int)
		go skynet(c, 0, 1000000)
		if <-c != 499999500000 {
			panic(0)
		}
		out("skynet", float64(time.Since(t).Microseconds())/1e3, "ms")
	}
	{
		r := rand.New(rand.NewSource(7))
		t := cpu()
		var w sync.WaitGroup
		w.Add(100000)
		for i := 0; i < 100000; i++ {
			d := time.Duration(r.Intn(1000)) * time.Millisecond
			go func() { time.Sleep(d); w.Done() }()
		}
		w.Wait()
		out("timers_1e5_cpu", (cpu()-t)*1e3, "ms")
	}
	{
		n := 1000000
		t := time.Now()
		for i := 0; i < n; i++ {
			x := time.AfterFunc(time.Second, func() {})
			x.Stop()
		}
		out("timer_insert_cancel", ns(t, n), "ns")
	}
}
