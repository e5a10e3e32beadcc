package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
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
	"github.com/esm-go/esm/auth"
)

const (
	// consumerEnv makes the test binary one consumer; its value is a consumer as JSON.
	consumerEnv    = "ESM_CHAOS_CONSUMER"
	sessionTimeout = 4 * time.Second
	stopTimeout    = 8 * time.Second
)

// consumer is a mapping in its own process. For each partition of a handled batch its handler writes a line:
// start and end in Unix microseconds, the partition, and the offsets as ranges. Lines that start with ! count
// events.
type consumer struct {
	Driver  string
	Mapping esm.Mapping
	Secrets string // directory
	Static  string // group.instance.id, "" for none
	File    string
	Log     string
	Seed    uint64
}

// consume is the main function of a consumer's process: it runs the mapping until SIGTERM.
func consume(settings string) int {
	var c consumer
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

func (c consumer) run() (err error) {
	out, err := os.OpenFile(c.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close(), log.Close()) }()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	count := func(what string) { _, _ = out.WriteString("! " + what + "\n") }
	handler := func(ctx context.Context, event esm.KafkaEvent) error {
		begin := time.Now().UnixMicro()
		// Up to 20 ms of work, but no more than 2 ms a record: batches of one must keep up with the producers too.
		work := min(20*time.Millisecond, time.Duration(event.Len())*2*time.Millisecond)
		select {
		case <-time.After(rand.N(work)):
		case <-ctx.Done():
			count("interrupted")
			return context.Cause(ctx)
		}
		if rand.IntN(60) == 0 {
			count("failed")
			return errors.New("the handler fails now and then")
		}
		var lines []byte
		end := time.Now().UnixMicro()
		for _, records := range event.Records {
			lines = appendLine(lines, begin, end, records)
		}
		_, err := out.Write(lines)
		return err
	}
	hooks := esm.Hooks{
		Assigned: func(esm.AssignmentInfo) { count("assigned") },
		Revoked: func(i esm.AssignmentInfo) {
			count("revoked")
			if i.InFlight > 0 {
				count("revoked with a handler running")
			}
		},
		Lost:  func(esm.AssignmentInfo) { count("lost") },
		Retry: func(esm.RetryInfo) { count("retried") },
		Commit: func(i esm.CommitInfo) {
			if i.Err != nil {
				count("commit failed")
			}
		},
		OffsetsLost: func(i esm.OffsetsLostInfo) { count("offsets lost: " + i.Why) },
	}
	var more []esm.Option
	if c.Static != "" {
		more = append(more, esm.WithGroupInstanceID(c.Static))
	}
	return esm.Run(ctx, c.Mapping, handler, append(more,
		esm.WithDriver(drivers[c.Driver]), esm.WithSecrets(auth.NewFiles(c.Secrets)), esm.WithSecretsRefresh(time.Second),
		esm.WithSessionTimeout(sessionTimeout), esm.WithStopTimeout(stopTimeout), esm.WithRevokeTimeout(2*time.Second),
		esm.WithRetryBackoff(20*time.Millisecond, 500*time.Millisecond), esm.WithMetadataMaxAge(time.Second),
		esm.WithBufferBytes(4<<20), esm.WithSeed(c.Seed), esm.WithHooks(hooks),
		esm.WithLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo}))))...)
}

// appendLine appends the line for one partition of a handled batch.
func appendLine(b []byte, begin, end int64, records []esm.KafkaRecord) []byte {
	b = fmt.Appendf(b, "%d %d %d ", begin, end, records[0].Partition)
	for i := 0; i < len(records); {
		k := i
		for k+1 < len(records) && records[k+1].Offset == records[k].Offset+1 {
			k++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, records[i].Offset, 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, records[k].Offset, 10)
		i = k + 1
	}
	return append(b, '\n')
}

// process is a running consumer.
type process struct {
	consumer
	cmd   *exec.Cmd
	ended chan error // holds what Wait returned
}

func (c consumer) start(t testing.TB) *process {
	t.Helper()
	settings, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0]) //nolint:gosec // this test binary itself
	cmd.Env = append(os.Environ(), consumerEnv+"="+string(settings))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{consumer: c, cmd: cmd, ended: make(chan error, 1)}
	go func() { p.ended <- cmd.Wait() }()
	return p
}

// kill kills the process, as a crash does, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.ended <- <-p.ended
}

// batch is one line of a consumer's file.
type batch struct {
	process    string
	begin, end int64 // Unix microseconds
	partition  int32
	offsets    []int64
}

// read parses a consumer's file, and counts its events. A line that a kill cut off does not count: its write
// had not returned.
func read(file string, counts map[string]int) ([]batch, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var batches []batch
	for line := range strings.Lines(string(data)) {
		line, whole := strings.CutSuffix(line, "\n")
		if !whole {
			continue
		}
		if what, ok := strings.CutPrefix(line, "! "); ok {
			counts[what]++
			continue
		}
		b := batch{process: file}
		var ranges string
		if _, err := fmt.Sscan(line, &b.begin, &b.end, &b.partition, &ranges); err != nil {
			return nil, fmt.Errorf("%s: line %q: %w", file, line, err)
		}
		for r := range strings.SplitSeq(ranges, ",") {
			var first, last int64
			if _, err := fmt.Sscanf(r, "%d-%d", &first, &last); err != nil {
				return nil, fmt.Errorf("%s: line %q: %w", file, line, err)
			}
			for o := first; o <= last; o++ {
				b.offsets = append(b.offsets, o)
			}
		}
		if !slices.IsSorted(b.offsets) {
			return nil, fmt.Errorf("%s: line %q: a batch is out of order", file, line)
		}
		batches = append(batches, b)
	}
	return batches, nil
}
