// Package tally stands in for a library of metrics, which nobody reads of this development server: no reporter can be
// made, and what a scope is told is forgotten.
package tally

import (
	"io"
	"time"
)

type (
	Scope interface {
		Counter(string) Counter
		Gauge(string) Gauge
		Timer(string) Timer
		Histogram(string, Buckets) Histogram
		Tagged(map[string]string) Scope
	}

	Counter   interface{ Inc(int64) }
	Gauge     interface{ Update(float64) }
	Timer     interface{ Record(time.Duration) }
	Histogram interface{ RecordValue(float64) }
	Sanitizer interface{ Name(string) string }

	Buckets      any
	ValueBuckets []float64
	Capabilities any

	StatsReporter interface {
		ReportCounter(string, map[string]string, int64)
		ReportGauge(string, map[string]string, float64)
		ReportTimer(string, map[string]string, time.Duration)
		ReportHistogramValueSamples(string, map[string]string, Buckets, float64, float64, int64)
		ReportHistogramDurationSamples(
			string, map[string]string, Buckets, time.Duration, time.Duration, int64,
		)
		Capabilities() Capabilities
		Flush()
	}

	CachedStatsReporter any

	SanitizeRange   [2]rune
	ValidCharacters struct {
		Ranges     []SanitizeRange
		Characters []rune
	}

	SanitizeOptions struct {
		NameCharacters, KeyCharacters, ValueCharacters ValidCharacters
		ReplacementCharacter                           rune
	}

	ScopeOptions struct {
		Tags              map[string]string
		Prefix, Separator string
		Reporter          StatsReporter
		CachedReporter    CachedStatsReporter
		SanitizeOptions   *SanitizeOptions
	}

	none struct{}
)

const DefaultReplacementCharacter = '_'

var (
	NoopScope            Scope = none{}
	AlphanumericRange    []SanitizeRange
	UnderscoreCharacters []rune
)

func NewRootScope(ScopeOptions, time.Duration) (Scope, io.Closer) { return none{}, nil }
func NewTestScope(string, map[string]string) Scope                { return none{} }
func NewSanitizer(SanitizeOptions) Sanitizer                      { return none{} }

func (none) Counter(string) Counter              { return none{} }
func (none) Gauge(string) Gauge                  { return none{} }
func (none) Timer(string) Timer                  { return none{} }
func (none) Histogram(string, Buckets) Histogram { return none{} }
func (none) Tagged(map[string]string) Scope      { return none{} }
func (none) Inc(int64)                           {}
func (none) Update(float64)                      {}
func (none) Record(time.Duration)                {}
func (none) RecordValue(float64)                 {}
func (none) Name(name string) string             { return name }
