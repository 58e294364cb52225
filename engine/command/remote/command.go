// Package remote is the resource command:remote:Command: commands that run on another host through SSH.
package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"

	"dockstack/engine/command/internal/console"
	"dockstack/engine/command/internal/lifecycle"
	"dockstack/engine/command/internal/process"
	"dockstack/engine/command/internal/secrets"
)

// killLimit is how long the end of a cancelled command's processes may take before the connection is closed anyway.
const killLimit = 5 * time.Second

// Logging says which streams go to the log.
type Logging console.Logging

// Values lists the enumeration for the schema.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: "Stdout", Value: Logging(console.Stdout), Description: "Log standard output only."},
		{Name: "Stderr", Value: Logging(console.Stderr), Description: "Log standard error only."},
		{Name: "StdoutAndStderr", Value: Logging(console.StdoutAndStderr), Description: "Log both streams."},
		{Name: "None", Value: Logging(console.None), Description: "Log nothing."},
	}
}

// Inputs of a remote Command.
type Inputs struct {
	lifecycle.Inputs
	Connection             *Connection        `pulumi:"connection" provider:"secret"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
}

// Annotate describes the inputs in the schema.
func (i *Inputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Connection, "How to reach the host.")
	a.Describe(&i.Environment, "Environment variables of the command. The SSH server has to accept them (AcceptEnv).")
	a.Describe(&i.Stdin, "What the command reads on standard input.")
	a.Describe(&i.Logging, "Which of the command's streams go to the log; both by default. The outputs hold both in any case.")
	a.Describe(&i.AddPreviousOutputInEnv, "Whether update and delete see the outputs of the run before as "+
		"PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR, if the SSH server accepts them. True by default.")
}

// State of a remote Command.
type State struct {
	Inputs
	lifecycle.Outputs
}

// Command is the resource.
type Command struct{}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command of another host that runs through SSH when the resource is created, updated and deleted.")
}

// Create runs the create command, if there is one.
func (*Command) Create(ctx context.Context, req infer.CreateRequest[Inputs]) (infer.CreateResponse[State], error) {
	state := State{Inputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && state.Create != nil {
		err = state.run(ctx, *state.Create)
	}
	return infer.CreateResponse[State]{ID: id, Output: state}, err
}

// Update runs the update command, or the create command where there is none.
func (*Command) Update(ctx context.Context, req infer.UpdateRequest[Inputs, State]) (infer.UpdateResponse[State], error) {
	state := State{Inputs: req.Inputs, Outputs: req.State.Outputs}
	var err error
	if command := state.OnUpdate(); command != nil && !req.DryRun {
		err = state.run(ctx, *command)
	}
	return infer.UpdateResponse[State]{Output: state}, err
}

// Delete runs the delete command of the stored state, if there is one.
func (*Command) Delete(ctx context.Context, req infer.DeleteRequest[State]) (infer.DeleteResponse, error) {
	var err error
	if req.State.Delete != nil {
		err = req.State.run(ctx, *req.State.Delete)
	}
	return infer.DeleteResponse{}, err
}

// run runs the command and, if it succeeds, keeps its output in the state.
func (s *State) run(ctx context.Context, command string) error {
	redact := secrets.From(ctx).Redact
	logging := console.StdoutAndStderr
	if s.Logging != nil {
		logging = console.Logging(*s.Logging)
	}
	logger := p.GetLogger(ctx)
	capture := console.New(logging, func(line string) { logger.InfoStatus(redact(line)) })

	client, err := s.Connection.dial(ctx, func(note string) { logger.InfoStatus(redact(note)) })
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return fmt.Errorf("cannot open an SSH session: %w", err)
	}
	defer session.Close()

	if s.Environment != nil {
		for _, name := range slices.Sorted(maps.Keys(*s.Environment)) {
			if err := session.Setenv(name, (*s.Environment)[name]); err != nil {
				return fmt.Errorf("the SSH server refused the environment variable %q; allow it there with AcceptEnv: %w", name, err)
			}
		}
	}
	for name, value := range s.Previous(s.AddPreviousOutputInEnv) {
		if err := session.Setenv(name, value); err != nil {
			logger.Warningf("%s is not set: the SSH server refused it; allow it there with AcceptEnv", name)
		}
	}
	if s.Stdin != nil && *s.Stdin != "" {
		session.Stdin = strings.NewReader(*s.Stdin)
	}
	session.Stdout, session.Stderr = capture.StdoutWriter(), capture.StderrWriter()

	err = runSession(ctx, client, session, command)
	capture.Close()
	if err != nil {
		return capture.Fail(err, command, redact)
	}
	s.Stdout, s.Stderr = capture.Stdout(), capture.Stderr()
	return nil
}

// runSession runs the command and waits for its end, or for the end of the context.
func runSession(ctx context.Context, client *ssh.Client, session *ssh.Session, command string) error {
	if err := session.Start(command); err != nil {
		return fmt.Errorf("cannot start the command: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		killSiblings(client)
	}()
	select {
	case <-killed:
	case <-time.After(killLimit):
		// A dead connection must not hold this up.
	}
	_ = client.Close()
	<-ended
	return process.Interrupted(ctx.Err())
}

// killScript ends the process groups of the other commands of its SSH connection, which have the same parent: first with
// SIGINT, a second later with SIGTERM, then with SIGKILL.
const killScript = `groups=
for f in /proc/[0-9]*/stat; do
    read -r line <"$f" || continue
    set -- "${line%% *}" ${line##*) }
    [ "$3" = "$PPID" ] && [ "$1" != "$$" ] && groups="$groups $1"
done
for signal in INT TERM KILL; do
    left=
    for group in $groups; do
        kill -s "$signal" -- "-$group" && left="$left $group"
    done
    groups=$left
    [ -n "$groups" ] && [ "$signal" != KILL ] && sleep 1
done`

// killSiblings runs killScript in a second session of the connection, because OpenSSH ignores the protocol's own signal
// request in a session of root. Where the host has no /proc the command ends when it notices the closed connection.
func killSiblings(client *ssh.Client) {
	session, err := client.NewSession()
	if err != nil {
		return
	}
	defer session.Close()
	_ = session.Run(killScript)
}
