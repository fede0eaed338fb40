// Package membership has what the server names of the gossip between hosts, which is left out.
package membership

type (
	ChangeEvent struct{}

	Member interface {
		GetAddress() string
		Identity() string
		Label(string) (string, bool)
	}
)
