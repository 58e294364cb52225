// Package lifecycle has the properties that local and remote commands share.
package lifecycle

import (
	"iter"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// Inputs say what runs when.
type Inputs struct {
	Create   *string `pulumi:"create,optional"`
	Update   *string `pulumi:"update,optional"`
	Delete   *string `pulumi:"delete,optional"`
	Triggers *[]any  `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// Annotate describes the inputs in the schema.
func (i *Inputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Create, "The command that runs when the resource is created, and when an input changes and there is no `update`.")
	a.Describe(&i.Update, "The command that runs when an input other than `triggers` changes.")
	a.Describe(&i.Delete, "The command that runs when the resource is deleted, with the inputs of the last create or update.")
	a.Describe(&i.Triggers, "Values of any type. A change replaces the resource: create runs, then the old delete.")
}

// OnUpdate is the command that an update runs, nil where there is none.
func (i *Inputs) OnUpdate() *string {
	if i.Update != nil {
		return i.Update
	}
	return i.Create
}

// Outputs are what the last create or update printed.
type Outputs struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Annotate describes the outputs in the schema.
func (o *Outputs) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "The standard output of the last create or update.")
	a.Describe(&o.Stderr, "The standard error of the last create or update.")
}

// Previous yields the variables that show a command the outputs of the run before; none where wanted is false.
func (o *Outputs) Previous(wanted *bool) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if wanted != nil && !*wanted {
			return
		}
		if o.Stdout != "" && !yield("PULUMI_COMMAND_STDOUT", o.Stdout) {
			return
		}
		if o.Stderr != "" {
			yield("PULUMI_COMMAND_STDERR", o.Stderr)
		}
	}
}
