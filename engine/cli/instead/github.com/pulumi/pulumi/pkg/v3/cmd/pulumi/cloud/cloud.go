// Package cloud stands for upstream's command `pulumi api`, which speaks to Pulumi Cloud and brings an OpenAPI library
// along: a quarter of the engine's build.
package cloud

import (
	"context"
	"errors"

	"github.com/pulumi/pulumi/pkg/v3/backend/httpstate/client"
	"github.com/spf13/cobra"
)

var errLeftOut = errors.New("this pulumi is built without `pulumi api` and what reads Pulumi Cloud's API directly")

// APIError is the error of a call that this build doesn't make.
type APIError struct {
	ExitCode int
	Silent   bool
}

// Error implements error.
func (e *APIError) Error() string { return errLeftOut.Error() }

// ResolvedContext is what a call to Pulumi Cloud would go by.
type ResolvedContext struct {
	Client   *client.Client
	OrgName  string
	LoggedIn bool
}

// ResolveContext fails: nothing here calls Pulumi Cloud's API directly.
func ResolveContext(context.Context) (*ResolvedContext, error) { return nil, errLeftOut }

// NewAPICmd returns a command that says that it isn't here.
func NewAPICmd() *cobra.Command {
	return &cobra.Command{
		Use:                "api",
		Short:              "Left out of this build",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE:               func(*cobra.Command, []string) error { return errLeftOut },
	}
}
