// SPDX-License-Identifier: MIT

// unix_echo PATH: an echo in Go behind a Unix socket: messages with their length in four bytes in front.
package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
)

func serve(c net.Conn) {
	defer c.Close()
	in, out := bufio.NewReaderSize(c, 1<<17), bufio.NewWriterSize(c, 1<<17)
	head := make([]byte, 4)
	for {
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		out.Write(head)
		out.Write(body)
	}
}

func main() {
	l, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString("ready\n")
	for {
		if c, err := l.Accept(); err == nil {
			go serve(c)
		}
	}
}
