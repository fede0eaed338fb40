// Package statsd has what the server names of metrics for statsd, which are left out.
package statsd

import "github.com/uber-go/tally/v4"

type Options struct{}

func NewReporter(any, Options) tally.StatsReporter {
	panic("statsd is left out of this development server")
}
