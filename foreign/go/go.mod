module weft.local/foreign

go 1.17
