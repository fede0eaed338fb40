// Package promhttp has what the server names of metrics for Prometheus, which are left out.
package promhttp

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

type HandlerOpts struct{ Registry *prometheus.Registry }

func HandlerFor(*prometheus.Registry, HandlerOpts) http.Handler { return http.NotFoundHandler() }
