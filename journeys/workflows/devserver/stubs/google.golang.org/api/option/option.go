// Package option has what the server names of Google's clients, which are left out.
package option

type ClientOption any

func WithTokenSource(any) ClientOption { return nil }
