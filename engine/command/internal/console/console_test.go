package console

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

func same(s string) string { return s }

func TestLogsLinesAsTheyCome(t *testing.T) {
	var logged []string
	c := New(Stdout, func(s string) { logged = append(logged, s) })
	io.WriteString(c.StdoutWriter(), "one\ntw")
	io.WriteString(c.StderrWriter(), "not logged\n")
	if want := []string{"one"}; !reflect.DeepEqual(logged, want) {
		t.Fatalf("logged %q, want %q", logged, want)
	}
	io.WriteString(c.StdoutWriter(), "o\r\n\nend")
	c.Close()
	if want := []string{"one", "two", "end"}; !reflect.DeepEqual(logged, want) {
		t.Errorf("logged %q, want %q", logged, want)
	}
	if c.Stdout() != "one\ntwo\r\n\nend" || c.Stderr() != "not logged" {
		t.Errorf("stdout %q, stderr %q", c.Stdout(), c.Stderr())
	}
}

func TestLongLineIsPassedOn(t *testing.T) {
	lines := 0
	c := New(StdoutAndStderr, func(string) { lines++ })
	io.WriteString(c.StderrWriter(), strings.Repeat("x", maxLine))
	if lines != 1 {
		t.Errorf("%d lines logged, want 1", lines)
	}
}

func TestFailShowsTheEnd(t *testing.T) {
	c := New(None, nil)
	for i := range 3000 {
		fmt.Fprintf(c.StdoutWriter(), "line %d\n", i)
	}
	io.WriteString(c.StderrWriter(), "token=hunter2\n")
	cause := errors.New("exit status 3")
	redact := func(s string) string { return strings.ReplaceAll(s, "hunter2", "[secret]") }
	err := c.Fail(cause, "first hunter2\nsecond", redact)
	text := err.Error()
	if !errors.Is(err, cause) || !strings.HasPrefix(text, `exit status 3: running "first [secret] …":`) {
		t.Errorf("unexpected start: %.80s", text)
	}
	if !strings.HasSuffix(text, "line 2999\ntoken=[secret]") || !strings.Contains(text, "[earlier output left out]") {
		t.Errorf("unexpected end: %s", text)
	}
	if got := strings.Count(text, "\n"); got != tailLines+1 {
		t.Errorf("%d lines, want %d", got, tailLines+1)
	}
}

func TestFailWithoutOutput(t *testing.T) {
	if got := New(None, nil).Fail(errors.New("exit status 1"), "false", same).Error(); got != "exit status 1: running \"false\":\n" {
		t.Errorf("got %q", got)
	}
}
