// Package provider puts the resources together and refuses what pulumi-command has and this plugin has not.
package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/middleware/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"dockstack/engine/command/internal/console"
	"dockstack/engine/command/internal/secrets"
	"dockstack/engine/command/local"
	"dockstack/engine/command/remote"
)

const (
	localCommand  = "command:local:Command"
	remoteCommand = "command:remote:Command"

	notHere = "is not in Dockstack's pulumi-resource-command; Pulumi's release of pulumi-command 1.2.1 has it"
)

// New returns the provider, and a function that cancels what runs and waits for its end, at most the given time.
func New() (p.Provider, func(time.Duration)) {
	inner := infer.Provider(infer.Options{
		Metadata: schema.Metadata{
			DisplayName: "Command (Dockstack)",
			Publisher:   "Dockstack",
			Description: "Runs commands locally and through SSH. Not Pulumi's plugin: it has the schema of " +
				"pulumi-command 1.2.1 for local.Command and remote.Command and refuses everything else.",
		},
		Resources: []infer.InferredResource{
			infer.Resource(&local.Command{}),
			infer.Resource(&remote.Command{}),
		},
	})
	outer := inner
	outer.Check = func(ctx context.Context, req p.CheckRequest) (p.CheckResponse, error) {
		if failures := refusals(string(req.Urn.Type()), req.Inputs); len(failures) > 0 {
			return p.CheckResponse{Inputs: req.Inputs, Failures: failures}, nil
		}
		return inner.Check(ctx, req)
	}
	var running sync.WaitGroup
	outer.Create = func(ctx context.Context, req p.CreateRequest) (p.CreateResponse, error) {
		running.Add(1)
		defer running.Done()
		return inner.Create(secrets.With(ctx, req.Properties), req)
	}
	outer.Update = func(ctx context.Context, req p.UpdateRequest) (p.UpdateResponse, error) {
		running.Add(1)
		defer running.Done()
		return inner.Update(secrets.With(ctx, req.Inputs, req.State), req)
	}
	outer.Delete = func(ctx context.Context, req p.DeleteRequest) error {
		running.Add(1)
		defer running.Done()
		return inner.Delete(secrets.With(ctx, req.Properties), req)
	}
	outer.Invoke = func(_ context.Context, req p.InvokeRequest) (p.InvokeResponse, error) {
		return p.InvokeResponse{}, fmt.Errorf("the function %s %s", req.Token, notHere)
	}
	stop := func(limit time.Duration) {
		_ = inner.Cancel(context.Background())
		ended := make(chan struct{})
		go func() {
			running.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(limit):
		}
	}
	return outer, stop
}

// refusals names every input that would otherwise be ignored or fail late. What isn't known yet in a preview passes.
func refusals(resource string, inputs property.Map) []p.CheckFailure {
	var failures []p.CheckFailure
	refuse := func(name, reason string) {
		failures = append(failures, p.CheckFailure{Property: name, Reason: reason})
	}
	unless := func(name string, v property.Value) {
		if !v.IsNull() {
			refuse(name, "the input "+name+" "+notHere)
		}
	}
	switch resource {
	case localCommand:
		unless("assetPaths", inputs.Get("assetPaths"))
		unless("archivePaths", inputs.Get("archivePaths"))
	case remoteCommand:
		if connection := inputs.Get("connection"); connection.IsMap() {
			unless("connection.proxy", connection.AsMap().Get("proxy"))
		}
	default:
		refuse("", "the resource type "+resource+" "+notHere)
		return failures
	}
	if v := inputs.Get("logging"); v.IsString() {
		allowed := []console.Logging{console.None, console.Stdout, console.Stderr, console.StdoutAndStderr}
		if !slices.Contains(allowed, console.Logging(v.AsString())) {
			refuse("logging", fmt.Sprintf("%q is none of %q", v.AsString(), allowed))
		}
	}
	if v := inputs.Get("environment"); v.IsMap() {
		for name, value := range v.AsMap().AllStable {
			if name == "" || strings.ContainsAny(name, "=\x00") {
				refuse("environment", fmt.Sprintf("%q can't be the name of an environment variable", name))
			}
			if value.IsString() && strings.Contains(value.AsString(), "\x00") {
				refuse("environment", fmt.Sprintf("the value of %q has a NUL character", name))
			}
		}
	}
	return failures
}
