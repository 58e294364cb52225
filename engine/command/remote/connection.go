package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"dockstack/engine/command/internal/process"
)

const (
	defaultUser           = "root"
	defaultPort           = 22
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15
	unlimited             = -1

	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Connection says how to reach a host.
type Connection struct {
	Host               *string  `pulumi:"host"`
	Port               *float64 `pulumi:"port,optional"`
	User               *string  `pulumi:"user,optional"`
	Password           *string  `pulumi:"password,optional" provider:"secret"`
	PrivateKey         *string  `pulumi:"privateKey,optional" provider:"secret"`
	PrivateKeyPassword *string  `pulumi:"privateKeyPassword,optional" provider:"secret"`
	AgentSocketPath    *string  `pulumi:"agentSocketPath,optional"`
	DialErrorLimit     *int     `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int     `pulumi:"perDialTimeout,optional"`
	HostKey            *string  `pulumi:"hostKey,optional"`
}

// Annotate describes the connection in the schema.
func (c *Connection) Annotate(a infer.Annotator) {
	a.Describe(&c, "How to reach a host through SSH.")
	a.Describe(&c.Host, "The host's name or address.")
	a.Describe(&c.Port, "The SSH server's port.")
	a.SetDefault(&c.Port, float64(defaultPort))
	a.Describe(&c.User, "The user to log in as.")
	a.SetDefault(&c.User, defaultUser)
	a.Describe(&c.Password, "The user's password. A private key is tried first.")
	a.Describe(&c.PrivateKey, "The private key itself, in PEM form.")
	a.Describe(&c.PrivateKeyPassword, "The password of the private key.")
	a.Describe(&c.AgentSocketPath, "The socket of an SSH agent; the value of SSH_AUTH_SOCK by default.")
	a.Describe(&c.DialErrorLimit, "How many failed attempts to connect are followed by another one; -1 for no limit.")
	a.SetDefault(&c.DialErrorLimit, defaultDialErrorLimit)
	a.Describe(&c.PerDialTimeout, "The most seconds that one attempt takes; 0 for no limit.")
	a.SetDefault(&c.PerDialTimeout, defaultPerDialTimeout)
	a.Describe(&c.HostKey, "The host's public key in the form of authorized_keys. Without it any host key is accepted.")
}

// errHostKey marks a host key that is not the expected one: trying again can't help.
var errHostKey = errors.New("the host key is not the expected one")

// dial connects, trying again after failures. The context ends it.
func (c *Connection) dial(ctx context.Context, note func(string)) (*ssh.Client, error) {
	config, closeAgent, err := c.clientConfig()
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	endpoint := net.JoinHostPort(*c.Host, strconv.Itoa(int(valueOr(c.Port, defaultPort))))
	limit := valueOr(c.DialErrorLimit, defaultDialErrorLimit)
	pause := firstRetry
	for attempt := 1; ; attempt++ {
		client, err := dialOnce(ctx, endpoint, config)
		switch {
		case err == nil:
			return client, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("connecting to %s: %w", endpoint, process.Interrupted(ctx.Err()))
		case errors.Is(err, errHostKey) || (limit != unlimited && attempt > limit):
			return nil, fmt.Errorf("cannot connect to %s after %d attempts: %w", endpoint, attempt, err)
		}
		note(fmt.Sprintf("attempt %d to connect to %s failed, trying again: %v", attempt, endpoint, err))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}

// dialOnce makes one attempt; the configuration's timeout covers the TCP connection and the SSH handshake.
func dialOnce(ctx context.Context, endpoint string, config *ssh.ClientConfig) (*ssh.Client, error) {
	if config.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, config.Timeout)
		defer cancel()
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", endpoint)
	if err != nil {
		return nil, err
	}
	// The handshake knows no context: closing the connection ends it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	sshConn, channels, requests, err := ssh.NewClientConn(conn, endpoint, config)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return ssh.NewClient(sshConn, channels, requests), nil
}

// clientConfig turns the inputs into a client configuration. The returned function closes the agent's socket.
func (c *Connection) clientConfig() (*ssh.ClientConfig, func(), error) {
	config := &ssh.ClientConfig{
		User:            valueOr(c.User, defaultUser),
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         time.Duration(valueOr(c.PerDialTimeout, defaultPerDialTimeout)) * time.Second,
	}
	if c.HostKey != nil {
		if err := expectHostKey(config, *c.HostKey); err != nil {
			return nil, nil, err
		}
	}
	if c.PrivateKey != nil {
		signer, err := c.signer()
		if err != nil {
			return nil, nil, fmt.Errorf("connection.privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if c.Password != nil {
		password := *c.Password
		config.Auth = append(config.Auth, ssh.Password(password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					answers[i] = password
				}
				return answers, nil
			}))
	}
	closeAgent := func() {}
	path := valueOr(c.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK"))
	if path != "" {
		conn, err := net.Dial("unix", path)
		switch {
		case err == nil:
			closeAgent = func() { _ = conn.Close() }
			config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
		case c.AgentSocketPath != nil || len(config.Auth) == 0:
			return nil, nil, fmt.Errorf("cannot reach the SSH agent: %w", err)
		}
	}
	if len(config.Auth) == 0 {
		return nil, nil, errors.New("connection has no privateKey, no password and no agent to log in with")
	}
	return config, closeAgent, nil
}

func (c *Connection) signer() (ssh.Signer, error) {
	if c.PrivateKeyPassword != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(*c.PrivateKey), []byte(*c.PrivateKeyPassword))
	}
	return ssh.ParsePrivateKey([]byte(*c.PrivateKey))
}

// expectHostKey makes the configuration accept this one host key.
func expectHostKey(config *ssh.ClientConfig, authorized string) error {
	want, _, _, _, err := ssh.ParseAuthorizedKey([]byte(authorized))
	if err != nil {
		return fmt.Errorf("connection.hostKey: %w", err)
	}
	fixed := ssh.FixedHostKey(want)
	config.HostKeyCallback = func(host string, remote net.Addr, got ssh.PublicKey) error {
		if err := fixed(host, remote, got); err != nil {
			return fmt.Errorf("%w: got %s, expected %s", errHostKey, ssh.FingerprintSHA256(got), ssh.FingerprintSHA256(want))
		}
		return nil
	}
	config.HostKeyAlgorithms = []string{want.Type()}
	if want.Type() == ssh.KeyAlgoRSA {
		config.HostKeyAlgorithms = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	}
	return nil
}

func valueOr[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}
