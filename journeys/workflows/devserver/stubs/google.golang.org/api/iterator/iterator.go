// Package iterator has what the server names of Google's clients, which are left out.
package iterator

import "errors"

var Done = errors.New("no more items")
