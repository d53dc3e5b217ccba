module example/plain

go 1.17
