package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// GuardArgument makes the executable be the guard instead of the plugin.
const GuardArgument = "guard"

// The engine stops a plugin with SIGKILL, and commands run in groups of their own. So a small process outside the
// plugin's group holds the list of running groups and ends them when the pipe from the plugin closes.
type guard struct {
	mu   sync.Mutex
	pipe io.Writer
}

func (g *guard) add(pgid int)    { g.write('+', pgid) }
func (g *guard) remove(pgid int) { g.write('-', pgid) }

func (g *guard) write(sign rune, pgid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintf(g.pipe, "%c%d\n", sign, pgid)
}

var startGuard = sync.OnceValues(func() (*guard, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, GuardArgument)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = []string{}
	cmd.Dir = "/"
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{pipe: pipe}, nil
})

// RunGuard is the guard's whole life: it reads the list until the plugin is gone, then ends the groups still on it.
func RunGuard(list io.Reader) {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	running := map[int]bool{}
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		entry := lines.Text()
		pgid, err := strconv.Atoi(entry[min(1, len(entry)):])
		if err != nil || pgid <= 1 {
			continue
		}
		if entry[0] == '+' {
			running[pgid] = true
		} else {
			delete(running, pgid)
		}
	}
	signalAll(running, syscall.SIGTERM)
	for deadline := time.Now().Add(afterTerminate); len(running) > 0 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		signalAll(running, 0)
	}
	signalAll(running, syscall.SIGKILL)
}

// signalAll sends the signal to each group and takes those that are gone off the list.
func signalAll(groups map[int]bool, sig syscall.Signal) {
	for pgid := range groups {
		if err := syscall.Kill(-pgid, sig); err != nil {
			delete(groups, pgid)
		}
	}
}
