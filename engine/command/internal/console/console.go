// Package console takes what a command prints: whole for the state, line by line for the log, and the end for errors.
package console

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

const (
	// A line is passed on at this length even without its end, so that a progress bar without newlines is seen.
	maxLine = 4096
	// How much of the end of the output an error shows.
	tailLines = 40
	tailBytes = 8192
)

// Logging says which of the two streams go to the log.
type Logging string

// The values of the schema's enumeration.
const (
	None            Logging = "none"
	Stdout          Logging = "stdout"
	Stderr          Logging = "stderr"
	StdoutAndStderr Logging = "stdoutAndStderr"
)

// Capture collects the output of one run. Its writers may be used at the same time.
type Capture struct {
	mu             sync.Mutex
	stdout, stderr stream
	tail           []byte
	cut            bool
}

type stream struct {
	all  bytes.Buffer
	line []byte
	log  func(string)
}

// New returns a Capture that passes each line of the chosen streams to log as it comes.
func New(logging Logging, log func(string)) *Capture {
	c := &Capture{}
	if logging == Stdout || logging == StdoutAndStderr {
		c.stdout.log = log
	}
	if logging == Stderr || logging == StdoutAndStderr {
		c.stderr.log = log
	}
	return c
}

type writer struct {
	c *Capture
	s *stream
}

func (w writer) Write(p []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.s.write(p)
	w.c.tail = append(w.c.tail, p...)
	if over := len(w.c.tail) - tailBytes; over > 0 {
		w.c.tail = append(w.c.tail[:0], w.c.tail[over:]...)
		w.c.cut = true
	}
	return len(p), nil
}

func (s *stream) write(p []byte) {
	s.all.Write(p)
	if s.log == nil {
		return
	}
	s.line = append(s.line, p...)
	for {
		end := bytes.IndexByte(s.line, '\n')
		switch {
		case end >= 0:
			s.emit(s.line[:end])
			s.line = s.line[end+1:]
		case len(s.line) >= maxLine:
			s.emit(s.line)
			s.line = nil
		default:
			return
		}
	}
}

func (s *stream) emit(line []byte) {
	if text := strings.TrimRight(string(line), "\r"); text != "" {
		s.log(text)
	}
}

// StdoutWriter is where the command's standard output goes.
func (c *Capture) StdoutWriter() io.Writer { return writer{c, &c.stdout} }

// StderrWriter is where the command's standard error goes.
func (c *Capture) StderrWriter() io.Writer { return writer{c, &c.stderr} }

// Close logs a last line that had no end.
func (c *Capture) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range []*stream{&c.stdout, &c.stderr} {
		if s.log != nil {
			s.emit(s.line)
			s.line = nil
		}
	}
}

// Stdout returns the whole standard output without the last line's end.
func (c *Capture) Stdout() string { return strings.TrimSuffix(c.stdout.all.String(), "\n") }

// Stderr returns the whole standard error without the last line's end.
func (c *Capture) Stderr() string { return strings.TrimSuffix(c.stderr.all.String(), "\n") }

// Fail makes the error of a command that ended badly: cause, command and the last lines of both streams as they came.
func (c *Capture) Fail(cause error, command string, redact func(string) string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, cut := redact(string(c.tail)), c.cut
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if cut && len(lines) > 1 {
		// The first one is only the end of a line.
		lines = lines[1:]
	}
	if over := len(lines) - tailLines; over > 0 {
		lines, cut = lines[over:], true
	}
	if cut {
		lines = append([]string{"[earlier output left out]"}, lines...)
	}
	return fmt.Errorf("%w: running %q:\n%s", cause, shorten(redact(command)), strings.Join(lines, "\n"))
}

// shorten keeps the first line of a script, which is enough to recognise it.
func shorten(command string) string {
	const limit = 200
	line, _, more := strings.Cut(strings.TrimSpace(command), "\n")
	if len(line) > limit {
		line, more = strings.ToValidUTF8(line[:limit], ""), true
	}
	if more {
		line += " …"
	}
	return line
}
