// SPDX-License-Identifier: MIT
// Gives each message back: 4 bytes of length, big-endian, and as many more. The argument: where to listen.
package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
)

func serve(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, 1<<16)
	message := make([]byte, 4, 1<<17)
	for {
		if _, err := io.ReadFull(reader, message[:4]); err != nil {
			return
		}
		size := 4 + int(binary.BigEndian.Uint32(message))
		if size > cap(message) {
			message = append(make([]byte, 0, size), message[:4]...)
		}
		message = message[:size]
		if _, err := io.ReadFull(reader, message[4:]); err != nil {
			return
		}
		if _, err := connection.Write(message); err != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	os.Chmod(os.Args[1], 0o777)
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go serve(connection)
	}
}
