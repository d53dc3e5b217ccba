// SPDX-License-Identifier: MIT
// Go on one core: CPU time, as the others.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func scaled(n int) int {
	if scale, err := strconv.ParseFloat(os.Getenv("SCALE"), 64); err == nil {
		return int(float64(n) * scale)
	}
	return n
}

func uncontended(n int, take, give func()) {
	for i := 0; i < n; i++ {
		take()
		give()
	}
}

func contended(fibers, n int, take, give func()) {
	var all sync.WaitGroup
	for f := 0; f < fibers; f++ {
		all.Add(1)
		go func() {
			for i := 0; i < n/fibers; i++ {
				take()
				runtime.Gosched()
				give()
			}
			all.Done()
		}()
	}
	all.Wait()
}

func main() {
	runtime.GOMAXPROCS(1)
	var mutex sync.Mutex
	semaphore := make(chan struct{}, 4)
	acquire := func() { semaphore <- struct{}{} }
	release := func() { <-semaphore }
	n := scaled(2000000)
	start := cpu()
	switch os.Args[1] {
	case "mutex_free":
		uncontended(n, mutex.Lock, mutex.Unlock)
	case "mutex_2":
		contended(2, n, mutex.Lock, mutex.Unlock)
	case "mutex_100":
		contended(100, n, mutex.Lock, mutex.Unlock)
	case "semaphore_free":
		uncontended(n, acquire, release)
	case "semaphore_100":
		contended(100, n, acquire, release)
	case "scope_child":
		for i := 0; i < n; i++ {
			var all sync.WaitGroup
			all.Add(1)
			go all.Done()
			all.Wait()
		}
	}
	fmt.Printf("RESULT %s %g ns\n", os.Args[1], (cpu()-start)/float64(n)*1e9)
}
