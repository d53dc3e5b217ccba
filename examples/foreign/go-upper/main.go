// SPDX-License-Identifier: MIT
package main

import (
	"bytes"

	weft "weft.local/foreign"
)

func init() {
	weft.Runtime(func(config string, queue weft.Queue) error {
		go queue.ServeEach(func(task *weft.Task) ([]byte, error) {
			return bytes.ToUpper(task.Request()), nil
		})
		return nil
	})
}

func main() {}
