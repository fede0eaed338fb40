module github.com/uber-go/tally/v4

go 1.26
