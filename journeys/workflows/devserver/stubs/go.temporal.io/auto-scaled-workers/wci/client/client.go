// Package client stands in for the controller of workers that scale themselves (AWS, Google Cloud, Kubernetes): no
// worker has one here, and whoever asks for one is refused.
package client

import (
	"context"

	deploymentpb "go.temporal.io/api/deployment/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/auto-scaled-workers/wci/workflow/iface"
	"go.temporal.io/server/common/namespace"
	"go.uber.org/fx"
)

const leftOut = "workers that scale themselves are left out of this development server"

type (
	Client interface {
		DescribeWorkerControllerInstance(
			context.Context, *namespace.Namespace, *deploymentpb.WorkerDeploymentVersion,
		) (*iface.QueryDescribeWorkerControllerInstanceResponse, []byte, error)
		UpdateWorkerControllerInstance(
			ctx context.Context, namespace *namespace.Namespace, version *deploymentpb.WorkerDeploymentVersion,
			conflictToken []byte, identity string, upsert map[string]iface.ScalingGroupSpecUpdate, remove []string,
		) (*iface.UpdateWorkerControllerInstanceResponse, error)
		ValidateWorkerControllerInstanceSpec(
			ctx context.Context, namespace *namespace.Namespace, version *deploymentpb.WorkerDeploymentVersion,
			identity string, upsert map[string]iface.ScalingGroupSpecUpdate, remove []string,
		) error
		DeleteWorkerControllerInstance(
			ctx context.Context, namespace *namespace.Namespace, version *deploymentpb.WorkerDeploymentVersion, identity string,
		) error
	}

	none struct{}
)

var Module = fx.Options(fx.Provide(func() Client { return none{} }))

func (none) DescribeWorkerControllerInstance(
	context.Context, *namespace.Namespace, *deploymentpb.WorkerDeploymentVersion,
) (*iface.QueryDescribeWorkerControllerInstanceResponse, []byte, error) {
	return nil, nil, serviceerror.NewNotFound(leftOut) // what the server takes for "none was ever set up"
}

func (none) UpdateWorkerControllerInstance(
	context.Context, *namespace.Namespace, *deploymentpb.WorkerDeploymentVersion,
	[]byte, string, map[string]iface.ScalingGroupSpecUpdate, []string,
) (*iface.UpdateWorkerControllerInstanceResponse, error) {
	return nil, serviceerror.NewInvalidArgument(leftOut) // the one kind of error that the server does not try anew
}

func (none) ValidateWorkerControllerInstanceSpec(
	context.Context, *namespace.Namespace, *deploymentpb.WorkerDeploymentVersion,
	string, map[string]iface.ScalingGroupSpecUpdate, []string,
) error {
	return serviceerror.NewInvalidArgument(leftOut)
}

func (none) DeleteWorkerControllerInstance(
	context.Context, *namespace.Namespace, *deploymentpb.WorkerDeploymentVersion, string,
) error {
	return nil // every version that is deleted asks for this: there is nothing to delete
}
