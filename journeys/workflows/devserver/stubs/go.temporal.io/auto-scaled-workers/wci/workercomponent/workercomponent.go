// Package workercomponent has no worker.
package workercomponent

import "go.uber.org/fx"

var Module = fx.Options()
