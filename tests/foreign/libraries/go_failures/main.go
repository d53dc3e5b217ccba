// SPDX-License-Identifier: MIT

// Failures of every kind, by the method's name or the configuration.
package main

import (
	"fmt"

	weft "weft.local/foreign"
)

func answer(task *weft.Task) ([]byte, error) {
	switch task.Method() {
	case "zero":
		return nil, &weft.Error{Text: "not found"}
	case "wide":
		return nil, &weft.Error{Status: 1 << 32, Text: "too wide"}
	case "wrapped":
		return nil, fmt.Errorf("wrapped: %w", &weft.Error{Status: 7, Text: "seven"})
	case "sent":
		return []byte(fmt.Sprint(task.Request() != nil)), nil
	}
	return nil, nil
}

func init() {
	weft.Runtime(func(config string, queue weft.Queue) error {
		switch config {
		case "zero":
			return &weft.Error{Text: "not found"}
		case "status":
			return fmt.Errorf("wrapped: %w", &weft.Error{Status: 9, Text: "nine"})
		case "panic":
			panic("as asked")
		}
		go queue.ServeEach(answer)
		return nil
	})
}

func main() {}
