// Package retry has what the server names of Amazon's SDK, which is left out.
package retry

type Standard struct{}

func NewStandard() *Standard { return &Standard{} }

func (*Standard) IsErrorRetryable(error) bool { return false }
