package runtime

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/esm-go/esm/function"
)

// Config describes the function that the workers run. Its fields have the names of Lambda's CreateFunction where it has
// them.
type Config struct {
	// FunctionName is the function's name, in any of Lambda's forms. Required.
	FunctionName string
	// Command starts a worker: a program that speaks Lambda's Runtime API, and its arguments, such as
	// {"python3", "-m", "awslambdaric", "app.handler"}. Required. A program without a slash is looked up in PATH; one with a
	// slash is relative to Dir.
	Command []string
	// Dir is the working directory, and LAMBDA_TASK_ROOT. Default: this process's.
	Dir string
	// Handler is _HANDLER, which the bootstrap of a provided runtime reads; interface clients get it as an argument.
	// Default: the last element of Command.
	Handler string
	// Environment holds the function's variables. Of the host's variables a worker gets only PATH, LANG, TZ and TMPDIR,
	// which Environment can override. Lambda's reserved names are refused, except those for credentials and region.
	Environment map[string]string
	// Timeout bounds an invocation. A worker that exceeds it is killed and replaced. 1 ms to 15 minutes; default 3 s, as on
	// Lambda.
	Timeout time.Duration
	// MemorySize is AWS_LAMBDA_FUNCTION_MEMORY_SIZE, in MB. Default 128. It limits nothing: see WithMemoryLimit.
	MemorySize int
}

// Option sets something that is not a parameter of Lambda.
type Option func(*settings)

type settings struct {
	log         *slog.Logger
	level       slog.Level
	minimum     int
	maximum     int // 0 = none
	idle        time.Duration
	initTimeout time.Duration
	grace       time.Duration
	memory      uint64
	files       uint64
	payload     int
	anyPeer     bool
	backoff     time.Duration // the first pause after a failed start
}

// WithLogger sets the logger for the pool and for the workers' output. Default slog.Default.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.log = l } }

// WithOutputLevel sets the level at which the workers' output is logged. Default Info.
func WithOutputLevel(l slog.Level) Option { return func(s *settings) { s.level = l } }

// WithWorkerRange sets how many workers are kept ready at all times, and the maximum number of workers. Use the
// mapping's esm.WithWorkerRange values. Default 1 and 0, where 0 means no maximum: there are then as many workers as
// the mapping has concurrent invocations.
func WithWorkerRange(minimum, maximum int) Option {
	return func(s *settings) { s.minimum, s.maximum = minimum, maximum }
}

// WithIdleTimeout sets how long a worker above the minimum may be idle before it is ended. Default 5 minutes.
func WithIdleTimeout(d time.Duration) Option { return func(s *settings) { s.idle = d } }

// WithInitTimeout sets how long a worker may take to ask for its first invocation, or for the next one after an answer.
// Default 10 s, as Lambda's init phase.
func WithInitTimeout(d time.Duration) Option { return func(s *settings) { s.initTimeout = d } }

// WithStopTimeout sets how long a worker has between SIGTERM and SIGKILL. Default 2 s, as Lambda's shutdown phase.
func WithStopTimeout(d time.Duration) Option { return func(s *settings) { s.grace = d } }

// WithStartBackoff sets the pause after a failed start of a worker. It doubles with each further failure, up to a minute.
// Default 1 s.
func WithStartBackoff(first time.Duration) Option { return func(s *settings) { s.backoff = first } }

// WithMemoryLimit limits a worker's writable memory, in bytes (Linux only: RLIMIT_DATA). Allocations beyond the limit
// fail in the worker. Default 0: no limit.
func WithMemoryLimit(bytes uint64) Option { return func(s *settings) { s.memory = bytes } }

// WithOpenFiles limits a worker's open files (Linux only: RLIMIT_NOFILE). Default 0: the host's limit.
func WithOpenFiles(n uint64) Option { return func(s *settings) { s.files = n } }

// WithPayloadLimit sets the maximum size of an event's JSON, and of an answer, in bytes. Default 6 MB, as on Lambda.
// Less than 0 means no limit for the event, and 1 GiB for the answer.
func WithPayloadLimit(n int) Option { return func(s *settings) { s.payload = n } }

// WithAnyPeer turns off the check that requests to a worker's port come from the worker's process group (Linux). Use it
// if this process may not inspect the workers' processes, for example because they run as another user.
func WithAnyPeer() Option { return func(s *settings) { s.anyPeer = true } }

// reserved are the variables that a function cannot set on Lambda. Lambda also reserves those for credentials and
// region; here a function may set them, because nothing else does.
var reserved = []string{"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
	"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_LAMBDA_MAX_CONCURRENCY"}

// check fills in defaults and reports all configuration errors at once.
func (c *Config) check() (function.Name, error) {
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("runtime: %s: %s", field, fmt.Sprintf(format, args...)))
	}
	name, err := function.ParseName(c.FunctionName)
	if err != nil {
		errs = append(errs, err)
	}
	if c.Dir == "" {
		if c.Dir, err = os.Getwd(); err != nil {
			wrong("Dir", "%v", err)
		}
	} else if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		wrong("Dir", "%v", err)
	}
	if info, err := os.Stat(c.Dir); err != nil {
		wrong("Dir", "%v", err)
	} else if !info.IsDir() {
		wrong("Dir", "%s is not a directory", c.Dir)
	}
	c.Command = slices.Clone(c.Command)
	if len(c.Command) == 0 || c.Command[0] == "" {
		wrong("Command", "is empty: give the program that speaks the Runtime API, such as python3 -m awslambdaric app.handler")
	} else {
		if c.Handler == "" {
			c.Handler = c.Command[len(c.Command)-1]
		}
		program := c.Command[0]
		if strings.ContainsRune(program, os.PathSeparator) && !filepath.IsAbs(program) {
			program = filepath.Join(c.Dir, program)
		}
		if path, err := exec.LookPath(program); err != nil {
			wrong("Command", "%v: install it, or give its whole path", err)
		} else if c.Command[0], err = filepath.Abs(path); err != nil {
			wrong("Command", "%v", err)
		}
	}
	for _, key := range slices.Sorted(mapKeys(c.Environment)) {
		switch {
		case slices.Contains(reserved, key):
			wrong("Environment", "%s is reserved: it is set for each worker", key)
		case key == "" || strings.ContainsAny(key, "=\x00") || strings.ContainsRune(c.Environment[key], 0):
			wrong("Environment", "%q is not a variable", key)
		}
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	if c.Timeout < time.Millisecond || c.Timeout > 15*time.Minute {
		wrong("Timeout", "%v: want 1 ms to 15 min", c.Timeout)
	}
	if c.MemorySize == 0 {
		c.MemorySize = 128
	}
	if c.MemorySize < 0 {
		wrong("MemorySize", "%d: want megabytes, more than 0", c.MemorySize)
	}
	return name, errors.Join(errs...)
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func newSettings(opts []Option) (settings, error) {
	s := settings{log: slog.Default(), minimum: 1, idle: 5 * time.Minute, initTimeout: 10 * time.Second, grace: 2 * time.Second,
		payload: function.PayloadLimit, backoff: time.Second}
	for _, o := range opts {
		o(&s)
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.payload == 0 {
		s.payload = function.PayloadLimit
	}
	var errs []error
	check := func(ok bool, option string, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("runtime: %s: want %s", option, want))
		}
	}
	check(s.minimum >= 0 && s.maximum >= 0 && (s.maximum == 0 || s.minimum <= s.maximum), fmt.Sprintf("WithWorkerRange(%d, %d)", s.minimum, s.maximum),
		"no negative numbers, and no minimum over the maximum (0 = none)")
	check(s.idle > 0, fmt.Sprintf("WithIdleTimeout(%v)", s.idle), "more than 0")
	check(s.initTimeout > 0, fmt.Sprintf("WithInitTimeout(%v)", s.initTimeout), "more than 0")
	check(s.grace >= 0, fmt.Sprintf("WithStopTimeout(%v)", s.grace), "0 or more")
	check(s.backoff > 0 && s.backoff <= maximumBackoff, fmt.Sprintf("WithStartBackoff(%v)", s.backoff), "more than 0, at most a minute")
	if runtime.GOOS != "linux" {
		check(s.memory == 0, "WithMemoryLimit", "nothing on "+runtime.GOOS+": workers are limited on Linux only")
		check(s.files == 0, "WithOpenFiles", "nothing on "+runtime.GOOS+": workers are limited on Linux only")
	}
	return s, errors.Join(errs...)
}
