// Command pulumi-resource-command is Dockstack's own provider plugin for the package "command". It speaks the schema
// of Pulumi's pulumi-command 1.2.1 for local.Command and remote.Command; see engine/README.md for what is left out.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"dockstack/engine/command/internal/process"
	"dockstack/engine/command/provider"
)

// version is that of the schema, so that the Python SDK of the same version accepts the plugin.
const version = "1.2.1"

const (
	// parentPoll is how often the plugin looks whether the engine that started it still lives.
	parentPoll = 250 * time.Millisecond
	// stopLimit is how long running commands may take to end when the engine is gone.
	stopLimit = 8 * time.Second
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == process.GuardArgument {
		process.RunGuard(os.Stdin)
		return
	}
	commands, stop := provider.New()
	go exitWithParent(os.Getppid(), stop)
	if err := commands.Run(context.Background(), "command", version); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// exitWithParent ends the plugin and its commands when the engine is gone without having stopped the plugin (killed, out
// of memory).
func exitWithParent(parent int, stop func(time.Duration)) {
	for os.Getppid() == parent {
		time.Sleep(parentPoll)
	}
	stop(stopLimit)
	os.Exit(1)
}
