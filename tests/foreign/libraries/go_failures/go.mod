module example/failures

go 1.17

require weft.local/foreign v0.0.0

replace weft.local/foreign => ../../../../foreign/go
