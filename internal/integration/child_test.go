package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/destination/resolve"
)

// childEnv makes the test binary one consumer; its value is a child as JSON.
const childEnv = "ESM_INTEGRATION_CONSUMER"

// child is a consumer in its own process. Its handler appends a line "partition offset" for each record to a
// file, one batch at a time.
type child struct {
	Driver  string
	Mapping esm.Mapping
	File    string
	// Fails makes the handler name every so many offsets in an ItemFailures; the failures go to the mapping's
	// destination.
	Fails int64
	// Env is added to the process's environment.
	Env []string `json:"-"`
}

// consume is the child's main function: it runs the mapping until SIGTERM.
func consume(settings string) int {
	var c child
	err := json.Unmarshal([]byte(settings), &c)
	if err == nil {
		err = c.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		return 1
	}
	return 0
}

func (c child) run() (err error) {
	out, err := os.OpenFile(c.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, out.Close()) }()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	handler := func(_ context.Context, event esm.KafkaEvent) error {
		var lines []byte
		var failed []esm.ItemID
		for _, records := range event.Records {
			for i := range records {
				if c.Fails > 0 && records[i].Offset%c.Fails == c.Fails-1 {
					failed = append(failed, records[i].ItemID())
					continue
				}
				lines = strconv.AppendInt(lines, int64(records[i].Partition), 10)
				lines = append(lines, ' ')
				lines = strconv.AppendInt(lines, records[i].Offset, 10)
				lines = append(lines, '\n')
			}
		}
		_, err := out.Write(lines)
		if err == nil && len(failed) > 0 {
			return esm.ItemFailures(failed...)
		}
		return err
	}
	level := slog.LevelWarn
	if c.Fails > 0 {
		level = slog.LevelError + 1 // otherwise it logs each batch that goes to the destination
	}
	return esm.Run(ctx, c.Mapping, handler, esm.WithDriver(drivers[c.Driver]), esm.WithSessionTimeout(6*time.Second),
		esm.WithDestinations(resolve.New(resolve.WithPathStyle())), esm.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// start starts the child. The child ends with the test at the latest.
func (c child) start(t testing.TB) *exec.Cmd {
	t.Helper()
	settings, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this test binary itself
	cmd.Env = append(append(os.Environ(), childEnv+"="+string(settings)), c.Env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd
}

// size returns how much the child has written.
func (c child) size() int64 {
	info, err := os.Stat(c.File)
	if err != nil {
		return 0
	}
	return info.Size()
}

// read returns the offsets that the child has written, by partition, in order.
func (c child) read(t testing.TB) map[int32][]int64 {
	t.Helper()
	data, err := os.ReadFile(c.File)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int32][]int64{}
	for line := range strings.Lines(string(data)) {
		partition, offset, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		p, err1 := strconv.ParseInt(partition, 10, 32)
		o, err2 := strconv.ParseInt(offset, 10, 64)
		if err := firstError(err1, err2); err != nil {
			t.Fatalf("line %q of the consumer: %v", line, err)
		}
		got[int32(p)] = append(got[int32(p)], o)
	}
	return got
}

// isRun reports whether offsets go up one by one.
func isRun(s []int64) bool {
	return len(s) == 0 || slices.Equal(s, span(s[0], s[0]+int64(len(s))))
}
