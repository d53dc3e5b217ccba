// SPDX-License-Identifier: MIT

// Go's HTTP client for fibers: rt:get(url) returns the body, rt:digest(bytes) a SHA-256 made by a pool of
// goroutines. A caller that leaves ends its request.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"runtime"

	weft "weft.local/foreign"
)

func get(task *weft.Task) ([]byte, error) {
	ctx, done := task.Context()
	defer done()
	request, err := http.NewRequestWithContext(ctx, "GET", string(task.Request()), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 400 {
		err = &weft.Error{Status: response.StatusCode, Text: response.Status}
	}
	return body, err
}

type job struct {
	bytes  []byte
	result chan string
}

func digester(jobs <-chan job) {
	for j := range jobs {
		sum := sha256.Sum256(j.bytes)
		j.result <- hex.EncodeToString(sum[:])
	}
}

func init() {
	weft.Runtime(func(_ string, queue weft.Queue) error {
		jobs := make(chan job)
		for i := 0; i < runtime.NumCPU(); i++ {
			go digester(jobs)
		}
		go func() {
			queue.ServeEach(func(task *weft.Task) ([]byte, error) {
				if task.Method() == "get" {
					return get(task)
				}
				j := job{task.Request(), make(chan string)}
				jobs <- j
				return []byte(<-j.result), nil
			})
		}()
		return nil
	})
}

func main() {}
