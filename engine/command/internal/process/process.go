// Package process runs a command of this host in a process group of its own and ends the whole group when it is told to.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// How long a cancelled command has after each signal before the next stronger one.
const (
	afterInterrupt = 2 * time.Second
	afterTerminate = 2 * time.Second
)

// Spec is a command to run. An empty Stdin is the null device.
type Spec struct {
	Args           []string
	Dir            string
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run starts the command and waits for its end. When the context ends first, the process group gets SIGINT, SIGTERM and
// SIGKILL in turn, and the error says that the command was cancelled or ran out of time.
func Run(ctx context.Context, spec Spec) error {
	if err := ctx.Err(); err != nil {
		return Interrupted(err)
	}
	if spec.Dir != "" {
		// Else the error would blame the executable.
		if _, err := os.Stat(spec.Dir); err != nil {
			return fmt.Errorf("the working directory can't be used: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, spec.Args[0], spec.Args[1:]...)
	cmd.Dir, cmd.Env = spec.Dir, spec.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = spec.Stdin, spec.Stdout, spec.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	ended := make(chan struct{})
	cmd.Cancel = func() error {
		go endGroup(cmd.Process.Pid, ended)
		return nil
	}
	// A member of the group that keeps the pipes open must not hold a cancelled command.
	cmd.WaitDelay = afterInterrupt + afterTerminate + time.Second

	guard, err := startGuard()
	if err != nil {
		return fmt.Errorf("cannot start the guard process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	guard.add(cmd.Process.Pid)
	err = cmd.Wait()
	close(ended)
	if ctx.Err() != nil {
		// What the group's leader left behind. Its number can't be in use by others while a member lives.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	guard.remove(cmd.Process.Pid)
	if cause := ctx.Err(); cause != nil && err != nil {
		return Interrupted(cause)
	}
	return err
}

// Interrupted names the reason why a context ended.
func Interrupted(cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return errors.New("ran out of its time (customTimeouts)")
	}
	return errors.New("cancelled")
}

func endGroup(pgid int, ended <-chan struct{}) {
	_ = syscall.Kill(-pgid, syscall.SIGINT)
	select {
	case <-ended:
		return
	case <-time.After(afterInterrupt):
	}
	_ = syscall.Kill(-pgid, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(afterTerminate):
		_ = syscall.Kill(-pgid, syscall.SIGKILL)
	}
}
