package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"
)

// binary is the program, built once for the tests that run it as a user does.
var binary = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "esm-binary")
	if err != nil {
		return "", err
	}
	file := filepath.Join(directory, "esm")
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

// service is a running esm serve.
type service struct {
	url     string
	command *exec.Cmd
	stderr  bytes.Buffer
	ended   chan error
}

// serve starts the program and waits until it prints its address.
func serve(t *testing.T, args ...string) *service {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &service{command: exec.Command(file, append([]string{"serve", "-listen", "127.0.0.1:0"}, args...)...), ended: make(chan error, 1)}
	s.command.Stderr = &s.stderr
	out, err := s.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() { s.ended <- s.command.Wait() }()
	t.Cleanup(func() {
		if s.command.ProcessState == nil {
			_ = s.command.Process.Kill()
			<-s.ended
		}
		if t.Failed() {
			t.Log(s.stderr.String())
		}
	})
	if s.url = regexp.MustCompile(`https?://[^/ ]+`).FindString(line); err != nil || s.url == "" {
		t.Fatalf("it said %q, %v", line, err)
	}
	return s
}

// signal sends the program a signal and returns how it ended.
func (s *service) signal(t *testing.T, with os.Signal) error {
	t.Helper()
	if err := s.command.Process.Signal(with); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
		return nil
	}
}

// status requests a path and returns the HTTP status.
func (s *service) status(t *testing.T, path string) int {
	t.Helper()
	response, err := http.Get(s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

// aws runs the real aws command against the service.
func (s *service) aws(t *testing.T, args ...string) map[string]any {
	t.Helper()
	directory := os.Getenv("ESM_AWS_CLIENTS")
	if directory == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("ESM_AWS_CLIENTS is not set: .ci/run clients sets it")
		}
		t.Skip("needs the aws command: .ci/run clients installs it, ESM_AWS_CLIENTS names the directory")
	}
	command := exec.Command(filepath.Join(directory, "awscli", "bin", "aws"), append([]string{"lambda", "--endpoint-url", s.url}, args...)...)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1"}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("aws %v: %v: %s", args, err, stderr.String())
	}
	answer := map[string]any{}
	if len(out) > 0 {
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return answer
}

func (s *service) awaitState(t *testing.T, id, state string) {
	t.Helper()
	await(t, state, func() bool { return s.aws(t, "get-event-source-mapping", "--uuid", id)["State"] == state })
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain for", what)
		}
	}
}

// events is a function behind a URL that records its events.
func events(t *testing.T) (url string, got chan string) {
	got = make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			got <- string(body)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
