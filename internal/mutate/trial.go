package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// bench runs mutations against the tests of each package, built once.
type bench struct {
	schema *schema
	suites map[string]*suite // by directory
	known  noticed
}

// suite is the tests of a package.
type suite struct {
	dir, binary string
	args        []string
	// cpu is the processor time that they took without a mutation; wall is for tests that wait for something.
	cpu, wall time.Duration
}

// build builds the tests of a package.
func (b *bench) build(ctx context.Context, dir, into string, args []string) (*suite, error) {
	into, err := filepath.Abs(into)
	if err != nil {
		return nil, err
	}
	s := &suite{dir: dir, binary: filepath.Join(into, strings.ReplaceAll(filepath.ToSlash(dir), "/", "_")+".test"), args: args}
	if exists(s.binary) {
		return s, nil
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", b.schema.overlay, "-gcflags=-e", "-ldflags", "-s -w", "-o", s.binary, "./"+dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // the mutated code has no C, and links in half the time
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", dir, err, out)
	}
	return s, nil
}

// errTimeUp means that the tests did not finish.
var errTimeUp = errors.New("the tests do not end")

// run runs the tests of a suite that a pattern names, with one mutation active (0: none). A nil error means
// that all passed.
func (s *suite) run(mutation int, pattern string) (out string, cpu time.Duration, err error) {
	wall, seconds := 10*time.Minute, 600
	if s.cpu > 0 {
		wall = 6*s.wall + time.Minute
		seconds = int((3*s.cpu + 15*time.Second).Seconds())
	}
	ctx, cancel := context.WithTimeout(context.Background(), wall)
	defer cancel()
	// A mutation can make a test spin. On a busy machine only processor time shows for how long.
	args := append([]string{"-c", fmt.Sprintf(`ulimit -t %d; exec "$0" "$@"`, seconds), s.binary, "-test.failfast", "-test.short", "-test.run", pattern}, s.args...)
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir, cmd.WaitDelay = s.dir, 10*time.Second
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", variable, mutation))
	seeds := filepath.Join(s.dir, "testdata", "rapid") // of property tests that fail
	defer func(was bool) {
		if !was {
			_ = os.RemoveAll(seeds)
			_ = os.Remove(filepath.Dir(seeds)) // where it is empty
		}
	}(exists(seeds))
	text, err := cmd.CombinedOutput()
	cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if err != nil && (ctx.Err() != nil || !cmd.ProcessState.Exited()) {
		err = errTimeUp
	}
	return string(text), cpu, err
}

// measure runs a suite without a mutation: it must pass.
func (s *suite) measure() error {
	began := time.Now()
	out, cpu, err := s.run(0, ".")
	if err != nil {
		return fmt.Errorf("the tests of %s fail without a mutation: %w\n%s", s.dir, err, out)
	}
	s.cpu, s.wall = cpu, time.Since(began)
	return nil
}

// try checks whether the tests of a mutation's packages notice it, starting with the test that noticed it
// last.
func (b *bench) try(number int, m mutation) (w witness, detail string, ok bool) {
	if last, is := b.known[m.name]; is && b.suites[last.dir] != nil && strings.HasPrefix(last.test, "Test") {
		if w, detail, ok = b.suites[last.dir].notices(number, "^"+last.test+"$"); ok {
			return w, detail, ok
		}
	}
	for _, dir := range m.packages {
		if s := b.suites[dir]; s != nil {
			if w, detail, ok = s.notices(number, "."); ok {
				return w, detail, ok
			}
		}
	}
	return witness{}, "", false
}

func (s *suite) notices(number int, pattern string) (w witness, detail string, ok bool) {
	out, _, err := s.run(number, pattern)
	if err == nil || strings.Contains(out, "never reached:") { // a short campaign of the model misses situations
		return w, "", false
	}
	w = witness{s.dir, "?"}
	w.test, detail = firstFailure(out)
	if errors.Is(err, errTimeUp) {
		detail = "does not end"
	}
	return w, detail, true
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: ([\w]+)`)

// firstFailure returns the test that failed, and the first line of its message.
func firstFailure(out string) (test, says string) {
	test = "?"
	if found := failed.FindStringSubmatch(out); found != nil {
		test = found[1]
	}
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "panic:"), strings.HasPrefix(line, "fatal error:"):
			return test, line
		case strings.HasPrefix(line, "--- FAIL:") && i+1 < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[i+1]), "--- FAIL:"):
			return test, strings.TrimSpace(lines[i+1])
		}
	}
	return test, ""
}
