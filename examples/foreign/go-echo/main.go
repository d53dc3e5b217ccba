// SPDX-License-Identifier: MIT

// An echo: the smallest library in Go. The configuration says how many goroutines answer.
package main

import (
	"fmt"
	"strconv"
	"time"

	weft "weft.local/foreign"
)

func answer(task *weft.Task) ([]byte, error) {
	switch task.Method() {
	case "fail":
		return nil, &weft.Error{Status: 42, Text: "it failed"}
	case "panic":
		panic(string(task.Request()))
	case "slow":
		ms, _ := strconv.Atoi(string(task.Request()))
		ctx, done := task.Context()
		defer done()
		select {
		case <-ctx.Done():
			cancelled <- struct{}{}
		case <-time.After(time.Duration(ms) * time.Millisecond):
		}
		return []byte("slow"), nil
	case "cancelled":
		<-cancelled
		return []byte("yes"), nil
	case "list":
		for i := 1; i <= 3; i++ {
			task.Part([]byte(fmt.Sprint("part ", i)))
		}
		return nil, nil
	}
	return task.Request(), nil
}

var cancelled = make(chan struct{}, 1000)

func init() {
	weft.Runtime(func(config string, queue weft.Queue) error {
		if config == "each" {
			go queue.ServeEach(answer)
			return nil
		}
		n, err := strconv.Atoi(config)
		if err != nil {
			return err
		}
		go queue.Serve(n, answer)
		return nil
	})
}

func main() {}
