package runtime

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// longestLine is the length at which a line is split.
	longestLine = 64 << 10
	// outputPatience is how long output is still read after the worker's process group has ended, in case a process
	// that left the group holds the pipe open.
	outputPatience = time.Second
)

// output writes a worker's output to the log, line by line. It reads pipes, so a line that the worker writes shortly before
// its next invocation can get that one's request ID.
type output struct {
	log      *slog.Logger
	level    slog.Level
	function string
	worker   int
	request  atomic.Pointer[string] // the ID of the current invocation, or the last one
}

// pipes are both ends of a worker's stdout and stderr.
type pipes struct{ read, write []*os.File }

// pipes connects the command's stdout and stderr, and reads both on goroutines tracked by readers.
func (o *output) pipes(cmd *exec.Cmd, readers *sync.WaitGroup) (*pipes, error) {
	p := &pipes{}
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			p.started()
			for _, r := range p.read {
				_ = r.Close() // nothing was read
			}
			return &pipes{}, err
		}
		p.read, p.write = append(p.read, r), append(p.write, w)
	}
	cmd.Stdout, cmd.Stderr = p.write[0], p.write[1]
	for i, stream := range []string{"stdout", "stderr"} {
		readers.Go(func() { o.copy(p.read[i], stream) })
	}
	return p, nil
}

// started closes this process's copies of the write ends.
func (p *pipes) started() {
	for _, w := range p.write {
		_ = w.Close() // nothing was written
	}
}

// finish bounds how long the rest of the output is read.
func (p *pipes) finish() {
	for _, r := range p.read {
		_ = r.SetReadDeadline(time.Now().Add(outputPatience)) // pipes support deadlines
	}
}

func (o *output) copy(r *os.File, stream string) {
	defer func() { _ = r.Close() }() // the pipe was only read
	lines := bufio.NewReaderSize(r, longestLine)
	for {
		line, err := lines.ReadSlice('\n')
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			o.write(text, stream)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (o *output) write(text, stream string) {
	attrs := []slog.Attr{slog.String("function", o.function), slog.Int("worker", o.worker), slog.String("stream", stream)}
	if id := o.request.Load(); id != nil {
		attrs = append(attrs, slog.String("requestId", *id))
	}
	o.log.LogAttrs(context.Background(), o.level, strings.ToValidUTF8(text, "\uFFFD"), attrs...)
}
