// Python runs an unchanged Lambda function, app.py, behind a mapping. The function is written with Powertools for AWS
// Lambda. The Kafka broker is in this process; the function runs in python3 worker processes that this process starts.
//
//	go run ./examples/python
//	go run ./examples/python -v                           # with the function's output, and the library's log
//	go run ./examples/python -emulator aws-lambda-rie     # on the runtime interface emulator, over HTTP
//
// It needs python3. If that does not have awslambdaric and aws-lambda-powertools, they are installed from PyPI into a
// virtual environment in the user's cache directory.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/examples/internal/shop"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/function/web"
)

//go:embed app.py
var app []byte

// requirements are what pip installs.
var requirements = []string{"awslambdaric==4.2.2", "aws-lambda-powertools==3.37.0"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "python:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("python", flag.ContinueOnError)
	name := flags.String("python", "python3", "the interpreter")
	emulator := flags.String("emulator", "", "`program` of the runtime interface emulator; default: none, the workers are this program's")
	verbose := flags.Bool("v", false, "show the function's output and the library's log")
	if err := flags.Parse(args); err != nil {
		return err
	}
	python, err := interpreter(ctx, *name, out)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "esm-python")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is in the temporary directory
	if err := os.WriteFile(filepath.Join(dir, "app.py"), app, 0o600); err != nil {
		return err
	}
	level := slog.LevelError
	if *verbose {
		level = slog.LevelInfo
	}
	command := []string{python, "-m", "awslambdaric", "app.handler"}
	if *emulator != "" {
		return emulated(ctx, out, *emulator, dir, command, shop.Logger(level))
	}
	pool, err := runtime.New(runtime.Config{FunctionName: "ship-orders", Command: command, Dir: dir, Timeout: 30 * time.Second,
		Environment: map[string]string{"POWERTOOLS_SERVICE_NAME": "shop"}}, runtime.WithLogger(shop.Logger(level)), runtime.WithInitTimeout(time.Minute))
	if err != nil {
		return err
	}
	defer pool.Stop(context.WithoutCancel(ctx))
	return shop.Run(ctx, out, pool, shop.Logger(level), esm.WithHooks(pool.Hooks()))
}

// emulated runs the same function on the emulator, which handles one event at a time.
func emulated(ctx context.Context, out io.Writer, emulator, dir string, command []string, log *slog.Logger) error {
	address, api := free(), free()
	cmd := exec.CommandContext(ctx, emulator, append([]string{"--runtime-interface-emulator-address", address, "--runtime-api-address", api}, command...)...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the emulator: %w; get it with: go install github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest", err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt) // ends the function and the emulator
		_ = cmd.Wait()                       // the error says that it was interrupted
	}()
	f, err := web.New("http://"+address+"/2015-03-31/functions/function/invocations", web.WithName("ship-orders"), web.WithConcurrency(1), web.WithLogger(log))
	if err != nil {
		return err
	}
	return shop.Run(ctx, out, f, log)
}

// free returns an address that is not in use.
func free() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// interpreter returns a Python interpreter that has the packages that the function imports, installing them if needed.
func interpreter(ctx context.Context, name string, out io.Writer) (string, error) {
	python, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: this example needs Python 3.10 or later (Debian: apt-get install python3 python3-venv)", err)
	}
	if complete(ctx, python) {
		return python, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "esm-examples", "python")
	own := filepath.Join(dir, "bin", "python")
	if complete(ctx, own) {
		return own, nil
	}
	_, _ = fmt.Fprintf(out, "installing %v from PyPI into %s\n", requirements, dir)
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(ctx, python, "-m", "venv", dir),
		exec.CommandContext(ctx, own, append([]string{"-m", "pip", "install", "-q", "--disable-pip-version-check"}, requirements...)...),
	} {
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w\n%s\nmissing: a python3 with %v; install them yourself and name it with -python (Debian's python3 needs python3-venv for this)",
				cmd.Args, err, text, requirements)
		}
	}
	return own, nil
}

func complete(ctx context.Context, python string) bool {
	return exec.CommandContext(ctx, python, "-c", "import awslambdaric, aws_lambda_powertools.utilities.kafka").Run() == nil
}
