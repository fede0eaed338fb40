// Package statichosts has what the server names of the gossip between hosts, which is left out.
package statichosts

func New(...string) any { return nil }
