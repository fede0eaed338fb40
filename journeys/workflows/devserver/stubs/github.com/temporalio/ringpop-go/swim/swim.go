// Package swim has what the server names of the gossip between hosts, which is left out.
package swim

import "time"

type (
	Member struct {
		Address string
		Labels  map[string]string
	}

	MemberPredicate struct{}

	BootstrapOptions struct {
		ParallelismFactor, JoinSize int
		MaxJoinDuration             time.Duration
		DiscoverProvider            any
	}
)

func (Member) Label(string) (string, bool) { return "", false }

func MemberWithLabelAndValue(string, string) MemberPredicate { return MemberPredicate{} }
