// Package local is the resource command:local:Command: commands that run on the host of the Pulumi program.
package local

import (
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"dockstack/engine/command/internal/console"
	"dockstack/engine/command/internal/lifecycle"
	"dockstack/engine/command/internal/process"
	"dockstack/engine/command/internal/secrets"
)

// maxVariable is Linux's limit of one "NAME=value" string (MAX_ARG_STRLEN, with the final NUL).
const maxVariable = 128*1024 - 1

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

// Inputs of a local Command.
type Inputs struct {
	lifecycle.Inputs
	Interpreter            *[]string          `pulumi:"interpreter,optional"`
	Dir                    *string            `pulumi:"dir,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
}

// Annotate describes the inputs in the schema.
func (i *Inputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Interpreter, "The program and its first arguments that get the command; `[\"/bin/sh\", \"-c\"]` by default.")
	a.Describe(&i.Dir, "The working directory. The command fails where it does not exist.")
	a.Describe(&i.Environment, "Environment variables in addition to the engine's own.")
	a.Describe(&i.Stdin, "What the command reads on standard input.")
	a.Describe(&i.Logging, "Which of the command's streams go to the log; both by default. The outputs hold both in any case.")
	a.Describe(&i.AddPreviousOutputInEnv, "Whether update and delete see the outputs of the run before as "+
		"PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. True by default.")
}

// State of a local Command.
type State struct {
	Inputs
	lifecycle.Outputs
}

// Command is the resource.
type Command struct{}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command of the local host that runs when the resource is created, updated and deleted.")
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

	args := []string{"/bin/sh", "-c"}
	if s.Interpreter != nil && len(*s.Interpreter) > 0 {
		args = slices.Clone(*s.Interpreter)
	}
	spec := process.Spec{
		Args:   append(args, command),
		Env:    os.Environ(),
		Stdout: capture.StdoutWriter(),
		Stderr: capture.StderrWriter(),
	}
	if s.Dir != nil {
		spec.Dir = *s.Dir
	}
	if s.Stdin != nil && *s.Stdin != "" {
		spec.Stdin = io.Reader(strings.NewReader(*s.Stdin))
	}
	if s.Environment != nil {
		for _, name := range slices.Sorted(maps.Keys(*s.Environment)) {
			spec.Env = append(spec.Env, name+"="+(*s.Environment)[name])
		}
	}
	for name, value := range s.Previous(s.AddPreviousOutputInEnv) {
		variable := name + "=" + value
		if len(variable) > maxVariable {
			logger.Warningf("%s is not set: the previous output is longer than an environment variable can be", name)
			continue
		}
		spec.Env = append(spec.Env, variable)
	}

	err := process.Run(ctx, spec)
	capture.Close()
	if err != nil {
		return capture.Fail(err, command, redact)
	}
	s.Stdout, s.Stderr = capture.Stdout(), capture.Stderr()
	return nil
}
