// Package ringpop stands in for the gossip by which the processes of a cluster find each other: this development server
// is one process, its hosts are said beforehand, and no gossip can be begun.
package ringpop

import (
	"errors"

	"github.com/temporalio/ringpop-go/events"
	"github.com/temporalio/ringpop-go/swim"
	"github.com/temporalio/tchannel-go"
)

var (
	ErrEphemeralAddress = errors.New("the address is not known yet")

	errLeftOut = errors.New("gossip between hosts is left out of this development server")
)

type (
	Ringpop struct{}
	Option  struct{}
	Labels  struct{}
)

func New(string, ...Option) (*Ringpop, error) { return nil, errLeftOut }

func Channel(*tchannel.Channel) Option                  { return Option{} }
func AddressResolverFunc(func() (string, error)) Option { return Option{} }

func (*Ringpop) AddListener(events.EventListener) bool              { return false }
func (*Ringpop) RemoveListener(events.EventListener) bool           { return false }
func (*Ringpop) Bootstrap(*swim.BootstrapOptions) ([]string, error) { return nil, errLeftOut }
func (*Ringpop) Destroy()                                           {}
func (*Ringpop) Labels() (*Labels, error)                           { return nil, errLeftOut }
func (*Ringpop) SelfEvict() error                                   { return errLeftOut }
func (*Ringpop) GetReachableMembers(...swim.MemberPredicate) ([]string, error) {
	return nil, errLeftOut
}
func (*Ringpop) GetReachableMemberObjects(...swim.MemberPredicate) ([]swim.Member, error) {
	return nil, errLeftOut
}

func (*Labels) Set(string, string) error    { return errLeftOut }
func (*Labels) Remove(string) (bool, error) { return false, errLeftOut }
