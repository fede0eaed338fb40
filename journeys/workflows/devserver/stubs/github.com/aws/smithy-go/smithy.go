// Package smithy has what the server names of Amazon's SDK, which is left out.
package smithy

type APIError interface {
	error
	ErrorCode() string
}
