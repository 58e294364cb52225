package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	// The guard is this executable, started again.
	if len(os.Args) == 2 && os.Args[1] == GuardArgument {
		RunGuard(os.Stdin)
		return
	}
	os.Exit(m.Run())
}

func shell(script string, out *bytes.Buffer) Spec {
	return Spec{Args: []string{"/bin/sh", "-c", script}, Env: os.Environ(), Stdout: out, Stderr: out}
}

func TestExitStatus(t *testing.T) {
	var out bytes.Buffer
	err := Run(context.Background(), shell("echo text; exit 3", &out))
	if err == nil || err.Error() != "exit status 3" || out.String() != "text\n" {
		t.Errorf("error %v, output %q", err, out.String())
	}
}

func TestCancelEndsTheGroup(t *testing.T) {
	for name, script := range map[string]string{
		"plain":    "sleep 60 & echo $!; wait",
		"stubborn": "trap '' INT TERM; sh -c 'trap \"\" INT TERM; echo $$; sleep 60; sleep 60' & wait; sleep 60",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(300*time.Millisecond, cancel)
			begin := time.Now()
			err := Run(ctx, shell(script, &out))
			if err == nil || err.Error() != "cancelled" {
				t.Errorf("error %v", err)
			}
			if took := time.Since(begin); took > 8*time.Second {
				t.Errorf("took %v", took)
			}
			assertGone(t, out.String())
		})
	}
}

func TestTimeout(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	if err := Run(ctx, shell("sleep 60", &out)); err == nil || !strings.Contains(err.Error(), "ran out of its time") {
		t.Errorf("error %v", err)
	}
}

func TestGuardEndsGroupsWhenThePluginIsGone(t *testing.T) {
	member := exec.Command("/bin/sh", "-c", "sleep 60 & sleep 60")
	member.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	other := exec.Command("/bin/sh", "-c", "sleep 60")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	for _, cmd := range []*exec.Cmd{member, other} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go cmd.Wait()
	}
	list := fmt.Sprintf("+%d\n+%d\nnonsense\n-%[2]d\n", member.Process.Pid, other.Process.Pid)
	RunGuard(strings.NewReader(list))
	assertGone(t, strconv.Itoa(member.Process.Pid))
	if err := syscall.Kill(-other.Process.Pid, syscall.SIGKILL); err != nil {
		t.Errorf("a group that was taken off the list is gone: %v", err)
	}
}

func assertGone(t *testing.T, pid string) {
	t.Helper()
	number, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatalf("no process number in %q", pid)
	}
	for range 40 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", number))
		if errors.Is(err, os.ErrNotExist) || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("process %d still runs", number)
}
