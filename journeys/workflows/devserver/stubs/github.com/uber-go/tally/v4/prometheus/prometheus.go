// Package prometheus has what the server names of metrics for Prometheus, which are left out.
package prometheus

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uber-go/tally/v4"
)

const DefaultSeparator = "_"

type (
	Configuration struct {
		HandlerPath, ListenNetwork, ListenAddress, TimerType, OnError string

		DefaultHistogramBuckets  []HistogramObjective
		DefaultSummaryObjectives []SummaryObjective
	}

	HistogramObjective struct{ Upper float64 }
	SummaryObjective   struct{ Percentile, AllowedError float64 }

	ConfigurationOptions struct {
		Registry *prometheus.Registry
		OnError  func(error)
	}
)

func (Configuration) NewReporter(ConfigurationOptions) (tally.CachedStatsReporter, error) {
	return nil, errors.New("Prometheus is left out of this development server")
}
