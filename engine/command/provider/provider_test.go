package provider

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func list(s string) property.Value {
	return property.New(property.NewArray([]property.Value{property.New(s)}))
}

func object(name string, v property.Value) property.Value {
	return property.New(property.NewMap(map[string]property.Value{name: v}))
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		resource, input string
		value           property.Value
		want            string
	}{
		{localCommand, "assetPaths", list("*"), "the input assetPaths is not in Dockstack's"},
		{localCommand, "archivePaths", list("*"), "the input archivePaths is not in Dockstack's"},
		{localCommand, "archivePaths", property.New(property.Null), ""},
		{localCommand, "logging", property.New("loud"), `"loud" is none of`},
		{localCommand, "logging", property.New("none"), ""},
		{localCommand, "logging", property.New(property.Computed), ""},
		{localCommand, "environment", object("A=B", property.New("x")), `"A=B" can't be the name`},
		{localCommand, "environment", object("A", property.New("x\x00y")), `the value of "A" has a NUL`},
		{remoteCommand, "connection", object("proxy", object("host", property.New("x"))), "the input connection.proxy is not"},
		{remoteCommand, "connection", object("host", property.New("x")), ""},
		{"command:remote:CopyToRemote", "connection", property.New("x"), "the resource type command:remote:CopyToRemote is not in"},
	} {
		got := refusals(c.resource, property.NewMap(map[string]property.Value{c.input: c.value}))
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s %s: refused: %v", c.resource, c.input, got)
		case c.want != "" && (len(got) != 1 || !strings.Contains(got[0].Reason, c.want)):
			t.Errorf("%s %s: got %v, want %q", c.resource, c.input, got, c.want)
		}
	}
}
